/** What the log has under a commit id, without reading the stream to find it. */
import type { NewFact, Recorded } from '../events/envelope.ts'
import { CommitConflict, VersionConflict } from '../events/errors/store.ts'
import type { EventStore } from './event-store.ts'

/** No stream grows as long, so an append that expects it writes nothing: it only finds out whether the commit id is known. */
const NEVER = Number.MAX_SAFE_INTEGER
const NOTHING: NewFact = { type: 'Nothing', v: 1, data: {} }

/** The first fact that was appended to a stream under a commit id; undefined if none was. */
export async function firstCommitted(
  store: EventStore,
  stream: string,
  commitId: string,
): Promise<Recorded | undefined> {
  const position = await store.append(stream, [NOTHING], { commitId, expectedVersion: NEVER }).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof CommitConflict) return error.position
      if (error instanceof VersionConflict) return undefined
      throw error
    },
  )
  if (position === undefined) return undefined
  for await (const recorded of store.readAll({ after: position - 1, to: position })) {
    // A commit id belongs to one stream.
    return recorded.stream === stream ? recorded : undefined
  }
  return undefined
}
