/** How many actors of a kind there are, without loading any. */
import type { EventStore, StreamSummary } from './event-store.ts'

/** Whether the actor is there: one that was removed is `absent`, and its stream stays. */
export const isThere = (summary: StreamSummary | null): boolean =>
  summary !== null && summary.status !== 'absent'

/** `agent` of `agent/writer` */
export const kindOfStream = (stream: string): string => stream.slice(0, Math.max(0, stream.indexOf('/')))

/** The store's own count, or a listing if it keeps none. */
export async function countStreams(store: EventStore, kind: string): Promise<number> {
  if (store.count) return store.count(kind)
  let count = 0
  for await (const { summary } of store.streams({ prefix: `${kind}/` })) if (isThere(summary)) count += 1
  return count
}
