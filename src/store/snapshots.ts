/** Folded states, kept so that a long stream need not be folded from its beginning. A cache: all of it can be thrown away. */
import type { Json } from '../events/json.ts'

/** What a stream folded to at a version. */
export interface Snapshot {
  readonly version: number
  /** The fact at that version: the same version of another history has another one. */
  readonly factId: string
  /** Of the fold that made it: another fold would have made another state. */
  readonly fingerprint: string
  readonly state: Json
}

/** *Contract:* `load` gives what was saved last for the stream, or nothing; never something else. `save` may be lost. */
export interface Snapshots {
  load(stream: string): Promise<Snapshot | undefined>
  save(stream: string, snapshot: Snapshot): Promise<void>
  /** Forgets all of them. It costs time, and changes nothing else. */
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
