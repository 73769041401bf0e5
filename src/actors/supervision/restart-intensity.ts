/** How often children may be restarted, and after which delay: the rules of OTP's supervisor and Pekko's back-off. */
import { waitLeft } from '../../clock.ts'
import type { SupervisorRules } from '../../events/options/supervision.ts'

/**
 * Adds a restart by the rule of `add_restart` in OTP's supervisor: more than `maxRestarts` within the period, this one
 * included, end the supervisor.
 *
 * @param stamps Earlier restarts, oldest first, in ms of a monotonic clock.
 */
export function addRestart(
  stamps: readonly number[],
  now: number,
  { maxRestarts, withinMs }: SupervisorRules['intensity'],
): { readonly stamps: readonly number[]; readonly isTooMany: boolean } {
  const recent = [...stamps.filter((stamp) => stamp >= now - withinMs), now]
  return { stamps: recent, isTooMany: recent.length > maxRestarts }
}

/**
 * The delay before a restart, in ms: `minMs` doubled with each attempt, at most `maxMs`, plus up to the fraction `jitter`
 * of that, as in Pekko's BackoffSupervisor.
 *
 * @param attempt Which restart in a row this is, from 1.
 * @param random From 0 to 1.
 */
export function restartDelayMs(backoff: SupervisorRules['backoff'], attempt: number, random: number): number {
  if (!backoff) return 0
  const delay = Math.min(backoff.maxMs, backoff.minMs * 2 ** (attempt - 1))
  return Math.round(delay * (1 + random * backoff.jitter))
}

/** Which restart in a row the next one is. After a quiet period it counts from 1 again. */
export function nextAttempt(
  backoff: SupervisorRules['backoff'],
  before: { readonly attempt: number; readonly startedAt: number | null },
  now: number,
): number {
  const isQuiet =
    backoff !== null && before.startedAt !== null && now - before.startedAt >= backoff.resetAfterMs
  return isQuiet ? 1 : before.attempt + 1
}

/** How long a child still waits for a restart that an earlier process decided, in ms: never longer than it decided. */
export function restartLeftMs(
  rules: SupervisorRules | null,
  { dueAt, delayMs }: { readonly dueAt: string | null; readonly delayMs?: number },
  now: number,
): number {
  const { backoff = null } = rules ?? {}
  // An older log does not say how long the wait was.
  const longestMs = delayMs ?? (backoff ? backoff.maxMs * (1 + backoff.jitter) : 0)
  return dueAt === null ? 0 : waitLeft(dueAt, longestMs, now)
}
