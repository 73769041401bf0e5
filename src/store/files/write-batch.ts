/** LevelDB's write batches: the payload of a record of a `.log` file. */
import { ByteReader, MalformedBytes } from './byte-reader.ts'
import { type Entry, REMOVAL, VALUE } from './entry.ts'

/** Sequence number (8), number of entries (4). */
const HEADER = 12

export interface DecodedBatch {
  readonly entries: readonly Entry[]
  /** What is wrong with the batch; `entries` are then those before the error. */
  readonly problem: string | null
}

export function decodeBatch(payload: Buffer): DecodedBatch {
  if (payload.length < HEADER) return { entries: [], problem: 'it is too short for a batch' }
  const first = Number(payload.readBigUInt64LE(0))
  const count = payload.readUInt32LE(8)
  const reader = new ByteReader(payload, HEADER)
  const entries: Entry[] = []
  try {
    while (!reader.atEnd) {
      const kind = reader.slice(1)[0]
      if (kind !== VALUE && kind !== REMOVAL) throw new MalformedBytes('an entry in it is of an unknown kind')
      const key = reader.prefixed().toString('latin1')
      entries.push({
        key,
        sequence: first + entries.length,
        value: kind === VALUE ? reader.prefixed() : null,
      })
    }
  } catch (error) {
    return { entries, problem: (error as Error).message }
  }
  return { entries, problem: entries.length === count ? null : 'it has fewer entries than its header says' }
}
