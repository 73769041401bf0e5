/** Reading a log that may be damaged: a record that cannot be read becomes a broken entry, and reading continues after it. */
import type { Recorded } from '../../events/envelope.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import type { EventStore } from '../../store/event-store.ts'

/** A fact, or why it cannot be read. */
export type LogEntry =
  | { readonly position: number; readonly recorded: Recorded }
  | { readonly position: number; readonly recorded: null; readonly problem: string }

/** One entry for every position of the range, both ends included, whatever its damage. */
export async function* readLogEntries(
  store: EventStore,
  from: number,
  to: number,
): AsyncGenerator<LogEntry, void, undefined> {
  let next = from
  while (next <= to) {
    try {
      for await (const recorded of store.readAll({ after: next - 1, to })) {
        yield { position: recorded.position, recorded }
        next = recorded.position + 1
      }
      return
    } catch (error) {
      const broken = brokenRange(error, next)
      for (const end = Math.min(broken.to, to); next <= end; next++) {
        yield { position: next, recorded: null, problem: broken.problem }
      }
    }
  }
}

/** The end of the range of records that an error is about, and the problem. Rethrows an error that is about no record. */
export function brokenRange(error: unknown, next: number): { to: number; problem: string } {
  if (!(error instanceof ClaudeAgentError) || error instanceof ClosedError) throw error
  const { position, found } = error.details as { position?: unknown; found?: unknown }
  if (error._tag === 'SequenceGap' && typeof found === 'number' && found > next) {
    return { to: found - 1, problem: error.summary }
  }
  if (error._tag !== 'CorruptRecord' && error._tag !== 'SequenceGap') throw error
  // The error of a damaged page does not say which record is to blame: skip one at a time.
  return { to: Math.max(next, typeof position === 'number' ? position : next), problem: error.summary }
}
