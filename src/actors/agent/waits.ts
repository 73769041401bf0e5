/** How long a task or its account waits: never longer than was decided, and until the end of a limit if that is known. */
import { type Clock, waitLeft } from '../../clock.ts'
import type { Failure } from '../../events/agent-facts.ts'
import { quoted } from '../../events/errors/phrases.ts'
import { duration } from '../../events/figures.ts'
import type { JsonObject } from '../../events/json.ts'
import type { AgentConfig } from '../../events/options/agent.ts'
import { type AccountNews, type Admission, LONG_WAIT_MS } from '../admission/admission.ts'
import type { Circumstances } from '../engine/definition.ts'
import type { EffectContext } from '../engine/effects.ts'
import { faultOf } from './failure-policy.ts'
import type { CurrentTask, OpenCall } from './state.ts'

/** The limit that a deadline enforces, in words. */
export const workLimit = (agent: string, config: Pick<AgentConfig, 'timeoutMs'> | null): string =>
  `agent ${quoted(agent)} may work on a task for ${duration(config?.timeoutMs ?? 0)}, and waiting does not count`

/** An older log does not say how long the wait for a limited account was. */
const OLD_ACCOUNT_WAIT_MS = 3_600_000

/** How long a task waits for its next call, in ms: never longer than was decided. */
export const retryLeftMs = (
  { dueAt, delayMs, refusals }: CurrentTask,
  config: Pick<AgentConfig, 'retry'> | null,
  now: number,
): number =>
  dueAt === null
    ? 0
    : waitLeft(dueAt, delayMs ?? (refusals > 0 ? OLD_ACCOUNT_WAIT_MS : (config?.retry.maxDelayMs ?? 0)), now)

/** Up to this much of a refused call's time is given back to its task: the call spent it starting, for nothing. */
const START_MS = 60_000

/** How much time a task has left after the account refused its call. */
export const leftAfterRefusal = (call: OpenCall | null, leftMs: number): number =>
  Math.min(call?.leftMs ?? leftMs, leftMs + START_MS)

/** What a service asks beyond this is not believed: the longest window of an account is a month. */
const LONGEST_WAIT_MS = 32 * 24 * 3_600_000

const believed = (ms: unknown): number =>
  typeof ms === 'number' && ms > 0 && ms <= LONGEST_WAIT_MS ? Math.ceil(ms) : 0

/** How long the service asked us to wait, in ms; 0 if it did not say. */
export const retryAfterMs = ({ details }: Pick<Failure, 'details'>): number => believed(details.retryAfterMs)

/** Calls that wait for the same limit begin within this time after its end, not all at once. */
const SPREAD_MS = 60_000

/**
 * How long a limit of the account still lasts by what the service said, in ms, and a random part of a minute; 0 if its
 * end is not known or has passed.
 */
export function limitLeftMs({ details }: Pick<Failure, 'details'>, { now, random }: Circumstances): number {
  const leftMs = believed(Date.parse(String(details.resetsAt)) - now)
  return leftMs === 0 ? 0 : leftMs + Math.round(random * SPREAD_MS)
}

/** Whether the limit that was reached holds for all calls of the account, not only for those of one model. */
const isForAllModels = ({ details }: Pick<Failure, 'details'>): boolean =>
  !/^seven_day_./.test(String(details.window))

/** A long wait, in words, and how to end it before its time; undefined for a short one. */
export function waitInWords(
  failure: Failure,
  account: string,
  { delayMs, dueAt }: JsonObject = {},
): string | undefined {
  if (!(Number(delayMs) >= LONG_WAIT_MS)) return undefined
  const kept = `${failure.message} The task is kept, and continues at ${dueAt}.`
  return faultOf(failure) === 'account'
    ? `${kept} If the limit is lifted before: claude-agents account resume ${account}`
    : kept
}

/** Waits for the next call. A person who resumes the account that refused the last one ends the wait. */
export async function waitToRetry(
  task: CurrentTask,
  config: AgentConfig | null,
  context: EffectContext,
  { admission, clock }: { readonly admission: Admission; readonly clock: Clock },
): Promise<void> {
  const { account } = admission
  let stop = () => {}
  const lifted = new Promise<void>((resolve) => {
    if (task.refusals > 0) stop = admission.changes((resumed) => resumed.has(account) && resolve())
  })
  await Promise.race([context.pause(retryLeftMs(task, config, clock.now())), lifted])
  stop()
}

/** What a failed call says about its account; undefined if nothing. */
export function newsOf(error: Failure, circumstances: Circumstances): AccountNews | undefined {
  const fault = faultOf(error)
  if (fault === 'payment') return { said: 'cannot pay', why: error.message }
  if (fault !== 'account') return undefined
  const leftMs = limitLeftMs(error, circumstances)
  if (leftMs === 0) return { said: 'fewer', askedMs: retryAfterMs(error) }
  return isForAllModels(error) ? { said: 'wait', window: String(error.details.window), leftMs } : undefined
}
