/** LevelDB's MANIFEST: which tables and logs make up the database, as a list of changes. */
import { ByteReader, MalformedBytes } from './byte-reader.ts'
import { type LogFileDamage, scanLogFile } from './log-file.ts'

export interface TableEntry {
  readonly number: number
  readonly level: number
  readonly size: number
  /** The keys that it reaches from and to. */
  readonly smallest: string
  readonly largest: string
}

export interface Manifest {
  readonly tables: readonly TableEntry[]
  /** Logs with this number or a larger one are not in the tables yet. */
  readonly logNumber: number
  readonly previousLogNumber: number
  readonly problems: readonly LogFileDamage[]
  /** Where a last change begins that was never written to its end: the one before it holds then, as it stands. */
  readonly tornAt: number | null
}

interface State {
  readonly tables: Map<number, TableEntry>
  /** null: it does not say, and LevelDB does not take it. */
  logNumber: number | null
  previousLogNumber: number
}

/** An internal key is the key and eight bytes more: the sequence number and the kind. */
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

/** What follows each tag of an edit. */
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
  /** Where the next compaction of a level begins. */
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
  // LevelDB writes the removals of an edit before its additions: a table may be moved to another level.
  while (!reader.atEnd) {
    const field = FIELDS[reader.varint()]
    if (!field) throw new MalformedBytes('a change in it is of an unknown kind')
    field(reader, state)
  }
}

const userKey = (internal: Buffer) =>
  internal.toString('latin1', 0, Math.max(0, internal.length - INTERNAL_KEY_TRAILER))
