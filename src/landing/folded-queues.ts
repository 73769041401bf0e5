/** The landing queues of a log as they are now. Only those that have changed since they were last looked at are folded again. */
import { foldStream } from '../actors/engine/history.ts'
import type { EventStore } from '../store/event-store.ts'
import { type LandingSnapshot, landingKind } from './machine.ts'

export const LANDING_STREAMS = `${landingKind.kind}/`

export interface FoldedQueue {
  readonly stream: string
  readonly snapshot: LandingSnapshot
  readonly version: number
}

const seen = new WeakMap<EventStore, Map<string, FoldedQueue>>()

export async function foldedQueues(store: EventStore): Promise<readonly FoldedQueue[]> {
  const known = seen.get(store) ?? new Map<string, FoldedQueue>()
  seen.set(store, known)
  const folded: FoldedQueue[] = []
  for await (const { stream, version } of store.streams({ prefix: LANDING_STREAMS })) {
    const before = known.get(stream)
    const isCurrent = before !== undefined && before.version >= version
    const queue = isCurrent ? before : { stream, ...(await foldStream(landingKind, store, stream)) }
    known.set(stream, queue)
    folded.push(queue)
  }
  return folded
}
