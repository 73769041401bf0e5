/** Snapshots as a port: folded states that save folding a long stream from its first fact. A cache that can be discarded. */
import type { Json } from '../events/json.ts'

/** The state of a stream at a version. */
export interface Snapshot {
  readonly version: number
  /** The id of the fact at that version: tells apart two histories that share the version. */
  readonly factId: string
  /** Identifies the fold that made it: another fold may give another state. */
  readonly fingerprint: string
  readonly state: Json
}

/** *Contract:* `load` returns what was last saved for the stream, or nothing. A `save` may be lost in a crash. */
export interface Snapshots {
  load(stream: string): Promise<Snapshot | undefined>
  save(stream: string, snapshot: Snapshot): Promise<void>
  /** Discards all snapshots. The next folds take longer; nothing else changes. */
  clear(): Promise<void>
}

export function memorySnapshots(): Snapshots {
  const snapshots = new Map<string, string>()
  return {
    async load(stream) {
      const text = snapshots.get(stream)
      return text === undefined ? undefined : (JSON.parse(text) as Snapshot)
    },
    async save(stream, snapshot) {
      snapshots.set(stream, JSON.stringify(snapshot))
    },
    async clear() {
      snapshots.clear()
    },
  }
}
