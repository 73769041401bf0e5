/** What follows from a failed call: whose fault it is, and how often the task is tried again. */
import type { Failure } from '../../events/agent-facts.ts'
import { callErrors } from '../../events/errors/call.ts'

/**
 * `account`: nothing has failed, the account has to wait, and the task with it. `session`: the session to continue is
 * gone, and is rebuilt. `task`: another try would end the same, and the agent is well. `agent`: all else; when there is
 * no try left, the agent is in its error state.
 */
export type Fault = 'account' | 'session' | 'task' | 'agent'

const FAULTS: Readonly<Record<string, Fault>> = {
  RateLimitedError: 'account',
  OverloadedError: 'account',
  SessionNotFoundError: 'session',
  PromptTooLargeError: 'task',
  RefusedError: 'task',
  OutputTooLongError: 'task',
  OutputTooLargeError: 'task',
  MaxTurnsError: 'task',
  BudgetExceededError: 'task',
  StructuredOutputError: 'task',
  InvalidRequestError: 'task',
  InvalidInputError: 'task',
  InputNotFoundError: 'task',
  InputKindError: 'task',
  InputTooLargeError: 'task',
  CloneError: 'task',
  CloneTimeoutError: 'task',
}

export const faultOf = ({ tag }: Pick<Failure, 'tag'>): Fault =>
  Object.hasOwn(FAULTS, tag) ? (FAULTS[tag] ?? 'agent') : 'agent'

/** How many retries a task has in all, as far as this failure is concerned. */
export function retriesAfter(error: Failure, allowed: number): number {
  if (!error.retryable) return 0
  return callErrors[error.tag]?.retries === 'once' ? Math.min(1, allowed) : allowed
}

/** How long the service asked us to stay away, in ms; 0 where it did not say. */
export function retryAfterMs({ details }: Pick<Failure, 'details'>): number {
  const { retryAfterMs: told } = details
  return typeof told === 'number' && told > 0 ? told : 0
}
