/** Reading a log that may be damaged: what cannot be read is a broken place, and reading goes on behind it. */
import type { Recorded } from '../../events/envelope.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import type { EventStore } from '../../store/event-store.ts'

/** A fact, or why there is none that can be read. */
export type LogPlace =
  | { readonly position: number; readonly recorded: Recorded }
  | { readonly position: number; readonly recorded: null; readonly problem: string }

/** Every position of the range, both ends included, whatever is wrong with it. */
export async function* readPlaces(
  store: EventStore,
  from: number,
  to: number,
): AsyncGenerator<LogPlace, void, undefined> {
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

/** The positions that an error is about. What is not about a place in the log is thrown again. */
export function brokenRange(error: unknown, next: number): { to: number; problem: string } {
  if (!(error instanceof ClaudeAgentError) || error instanceof ClosedError) throw error
  const { position, found } = error.details as { position?: unknown; found?: unknown }
  if (error._tag === 'SequenceGap' && typeof found === 'number' && found > next) {
    return { to: found - 1, problem: error.summary }
  }
  if (error._tag !== 'CorruptRecord' && error._tag !== 'SequenceGap') throw error
  // A page that cannot be read does not say which of its records is to blame: one place is given up at a time.
  return { to: Math.max(next, typeof position === 'number' ? position : next), problem: error.summary }
}
