/** LevelDB's MANIFEST: the tables and logs of the database, as a sequence of edits. */
import { ByteReader, MalformedBytes } from './byte-reader.ts'
import { type LogFileDamage, scanLogFile } from './log-file.ts'

export interface TableEntry {
  readonly number: number
  readonly level: number
  readonly size: number
  /** Its smallest and largest key. */
  readonly smallest: string
  readonly largest: string
}

export interface Manifest {
  readonly tables: readonly TableEntry[]
  /** Logs with this number or a larger one are not yet in tables. */
  readonly logNumber: number
  readonly previousLogNumber: number
  readonly problems: readonly LogFileDamage[]
  /** The offset of an incomplete last edit, which does not count. */
  readonly tornAt: number | null
}

interface State {
  readonly tables: Map<number, TableEntry>
  /** null if no edit sets it: LevelDB rejects such a MANIFEST. */
  logNumber: number | null
  previousLogNumber: number
}

/** The bytes that an internal key has after the user key: kind (1) and sequence number (7). */
export const INTERNAL_KEY_TRAILER = 8

export function readManifest(content: Buffer): Manifest {
  const { records, damage, tornAt } = scanLogFile(content)
  const problems = [...damage]
  const state: State = { tables: new Map(), logNumber: null, previousLogNumber: 0 }
  for (const { offset, payload, intact } of records) {
    try {
      applyEdit(new ByteReader(payload), state)
    } catch (error) {
      if (intact) problems.push({ offset, problem: (error as Error).message })
    }
  }
  const { logNumber, previousLogNumber } = state
  if (logNumber === null) problems.push({ offset: 0, problem: 'it does not name the current log' })
  return {
    tables: [...state.tables.values()],
    logNumber: logNumber ?? 0,
    previousLogNumber,
    problems,
    tornAt,
  }
}

/** Reads the field after each tag of an edit. */
const FIELDS: Readonly<Record<number, (reader: ByteReader, state: State) => void>> = {
  /** The name of the comparator. */
  1: (reader) => void reader.prefixed(),
  2: (reader, state) => {
    state.logNumber = reader.varint()
  },
  /** The next file number. */
  3: (reader) => void reader.varint(),
  /** The last sequence number. */
  4: (reader) => void reader.varint(),
  /** The start of the next compaction of a level. */
  5: (reader) => {
    reader.varint()
    reader.prefixed()
  },
  6: (reader, state) => {
    reader.varint()
    state.tables.delete(reader.varint())
  },
  7: (reader, state) => {
    const [level, number, size] = [reader.varint(), reader.varint(), reader.varint()]
    const [smallest, largest] = [userKey(reader.prefixed()), userKey(reader.prefixed())]
    state.tables.set(number, { number, level, size, smallest, largest })
  },
  9: (reader, state) => {
    state.previousLogNumber = reader.varint()
  },
}

function applyEdit(reader: ByteReader, state: State): void {
  // LevelDB writes an edit's removals before its additions, because a table may move to another level.
  while (!reader.atEnd) {
    const field = FIELDS[reader.varint()]
    if (!field) throw new MalformedBytes('an edit in it is of an unknown kind')
    field(reader, state)
  }
}

const userKey = (internal: Buffer) =>
  internal.toString('latin1', 0, Math.max(0, internal.length - INTERNAL_KEY_TRAILER))
