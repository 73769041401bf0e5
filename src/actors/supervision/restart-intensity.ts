/** How often children may be restarted, and how long to wait before it. Rules of OTP's supervisor and Pekko's back-off. */
import type { SupervisorRules } from '../../events/options/supervision.ts'

/**
 * One more restart, by the rule of `add_restart` in OTP's supervisor: of those before it, the ones within the period
 * count; with it they may be `maxRestarts`, and one more ends the supervisor.
 *
 * @param stamps When children were restarted before, oldest first, in ms of a clock that never goes back.
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
 * How long to wait before the restart: `minMs` doubled with each attempt, at most `maxMs`, and up to the share `jitter`
 * of that on top, as in Pekko's BackoffSupervisor.
 *
 * @param attempt Which restart in a row it is, from 1.
 * @param random From 0 to 1.
 */
export function restartDelayMs(backoff: SupervisorRules['backoff'], attempt: number, random: number): number {
  if (!backoff) return 0
  const delay = Math.min(backoff.maxMs, backoff.minMs * 2 ** (attempt - 1))
  return Math.round(delay * (1 + random * backoff.jitter))
}

/** Which restart in a row the next one is: after a quiet time one counts from the beginning. */
export function nextAttempt(
  backoff: SupervisorRules['backoff'],
  before: { readonly attempt: number; readonly startedAt: number | null },
  now: number,
): number {
  const isQuiet =
    backoff !== null && before.startedAt !== null && now - before.startedAt >= backoff.resetAfterMs
  return isQuiet ? 1 : before.attempt + 1
}
