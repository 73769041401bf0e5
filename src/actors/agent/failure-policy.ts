/** What follows from a failed call: what is at fault, how often its task is retried, and after which delay. */
import type { Failure } from '../../events/agent-facts.ts'
import { callErrors } from '../../events/errors/call.ts'
import type { RetryPolicy } from '../../events/options/agent.ts'

/**
 * `account`: nothing has failed; the account has to wait, and the task with it. `payment`: the account cannot pay, and
 * only a person can change that: the task is held. `session`: the session to continue is
 * gone and is rebuilt. `task`: a retry would fail the same way, and the agent is fine. `agent`: everything else; when no
 * retry is left, the agent enters its error state.
 */
export type Fault = 'account' | 'payment' | 'session' | 'task' | 'agent'

const FAULTS: Readonly<Record<string, Fault>> = {
  RateLimitedError: 'account',
  OverloadedError: 'account',
  BillingError: 'payment',
  SessionNotFoundError: 'session',
  PromptTooLargeError: 'task',
  RefusedError: 'task',
  OutputTooLongError: 'task',
  OutputTooLargeError: 'task',
  MaxTurnsError: 'task',
  BudgetExceededError: 'task',
  OutputSchemaError: 'task',
  StructuredOutputError: 'task',
  InvalidRequestError: 'task',
  InvalidInputError: 'task',
  InputNotFoundError: 'task',
  InputKindError: 'task',
  InputTooLargeError: 'task',
  InputChangedError: 'task',
  CloneError: 'task',
  CloneTimeoutError: 'task',
}

export const faultOf = ({ tag }: Pick<Failure, 'tag'>): Fault =>
  Object.hasOwn(FAULTS, tag) ? (FAULTS[tag] ?? 'agent') : 'agent'

const REJECTED: readonly unknown[] = [400, 413]

/**
 * Whether the service rejected what it was sent. In a continued session that may be something in the history (an image
 * that is too large, a broken block), and every later request would be rejected the same way.
 */
export const rejectsRequest = ({ tag, details }: Pick<Failure, 'tag' | 'details'>): boolean =>
  ['InvalidRequestError', 'PromptTooLargeError'].includes(tag) && REJECTED.includes(details.status)

/** How many retries a task has in all after this failure. */
export function retriesAfter(error: Failure, allowed: number): number {
  if (!error.retryable) return 0
  return callErrors[error.tag]?.retries === 'once' ? Math.min(1, allowed) : allowed
}

/**
 * Exponential back-off with equal jitter, in ms: between half and all of `minDelayMs * 2^(retry - 1)`, at most
 * `maxDelayMs`. Half of it is random, so that agents which failed together do not retry together (Marc Brooker,
 * Exponential Backoff And Jitter, AWS Architecture Blog 2015).
 *
 * @param retry Which retry it is, from 1.
 * @param random From 0 to 1.
 */
export function retryDelayMs(policy: RetryPolicy, retry: number, random: number): number {
  const ceiling = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** (retry - 1))
  return Math.round(ceiling / 2 + (ceiling / 2) * random)
}
