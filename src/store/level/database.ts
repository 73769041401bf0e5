/** The LevelDB database under the log: opened, read in pages, reopened after a failed write, its errors translated. */
import type { Level } from 'level'
import { StoreDamaged, StoreInUse, StoreReadOnly } from '../../events/errors/store.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { syncDirectory } from '../directory.ts'
import type { KeySpan } from '../files/table-check.ts'

export type Database = Level<string, string>
export type Batch = ReturnType<Database['batch']>

/** Opens a LevelDB database. Tests inject one that fails. */
export type OpenDatabase = (path: string, options: { readonly createIfMissing: boolean }) => Promise<Database>

/** The most entries and bytes that one call to LevelDB returns. */
const PAGE_ENTRIES = 1000
const PAGE_BYTES = 256 * 1024

export interface KeyRange {
  readonly gte: string
  readonly lt?: string
  readonly lte?: string
  readonly reverse?: boolean
  readonly limit?: number
}

/**
 * The size of LevelDB's memtable: four times its default. Index keys sort on both sides of record keys, so each new
 * table overlaps the whole log and compacting it rewrites much of the log: fewer tables are better.
 */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/**
 * The size of LevelDB's blocks, each of which is compressed by itself: four times its default. Facts have much in common with
 * those beside them, so a log takes up to 40 % less room.
 */
const BLOCK_BYTES = 16 * 1024

export const openLevel: OpenDatabase = async (path, options) => {
  // A native addon, which reading through an owner does not need.
  const { Level } = await import('level')
  const database: Database = new Level(path, {
    ...options,
    keyEncoding: 'utf8',
    valueEncoding: 'utf8',
    writeBufferSize: WRITE_BUFFER_BYTES,
    blockSize: BLOCK_BYTES,
  })
  await database.open()
  return database
}

/** Checks tables before LevelDB reads them. */
export interface TableGuard {
  /** How many are still to be checked. */
  readonly size: number
  /** Checks what a read of these keys depends on. Throws {@link StoreDamaged}. */
  read(spans: readonly KeySpan[]): Promise<void>
  /** The same, of the tables only that may hold one of its ends. Throws {@link StoreDamaged}. */
  readFrom(end: string, span: KeySpan): Promise<void>
}

/** The database of an open store. Reads that meet a reopening wait for it and are retried. */
export class LogDatabase {
  readonly path: string
  /** The id of the store that the log belongs to. */
  readonly storeId: string
  readonly #open: OpenDatabase
  #database: Database
  #reopening: Promise<void> | null = null
  readonly #unread: TableGuard | null
  /** Why it was closed; null while it is open. */
  #closed: Error | null = null

  private constructor(
    path: string,
    storeId: string,
    open: OpenDatabase,
    database: Database,
    unread: TableGuard | null,
  ) {
    this.path = path
    this.storeId = storeId
    this.#open = open
    this.#database = database
    this.#unread = unread
  }

  static async open(
    path: string,
    storeId: string,
    open: OpenDatabase,
    options: {
      readonly createIfMissing: boolean
      readonly unread?: TableGuard
      /** Whether what opening writes need not outlast a power loss. */
      readonly isTemporary?: boolean
    },
  ): Promise<LogDatabase> {
    const { createIfMissing, unread = null, isTemporary = false } = options
    const opening = isTemporary
      ? translateErrors(path, open(path, { createIfMissing }))
      : openDurably(path, open, { createIfMissing })
    const database = await opening
    return new LogDatabase(path, storeId, open, database, unread)
  }

  batch(): Batch {
    return this.#database.batch()
  }

  async get(key: string): Promise<string | undefined> {
    if (this.#unread?.size) await this.#unread.read([{ from: key, to: key }])
    return this.#read((database) => database.get(key))
  }

  async getMany(keys: string[]): Promise<(string | undefined)[]> {
    if (this.#unread?.size) await this.#unread.read(keys.map((key) => ({ from: key, to: key })))
    return this.#read((database) => database.getMany(keys))
  }

  /** The first page of a range. An iterator per page pins no LevelDB snapshot under a slow reader. */
  page(range: KeyRange): Promise<[string, string][]> {
    return this.#checked(
      range,
      ([key]) => key,
      async (database) => {
        const iterator = database.iterator({ limit: PAGE_ENTRIES, highWaterMarkBytes: PAGE_BYTES, ...range })
        try {
          return await iterator.nextv(PAGE_ENTRIES)
        } finally {
          await iterator.close()
        }
      },
    )
  }

  /** The keys of the first page of a range. */
  keys(range: KeyRange): Promise<string[]> {
    return this.#checked(
      range,
      (key) => key,
      async (database) => {
        const iterator = database.keys({ limit: PAGE_ENTRIES, ...range })
        try {
          return await iterator.nextv(PAGE_ENTRIES)
        } finally {
          await iterator.close()
        }
      },
    )
  }

  /** After a failed write LevelDB rejects all others: only reopening shows whether the cause is gone. */
  reopen(): Promise<void> {
    this.#reopening ??= this.#closeAndOpen().finally(() => {
      this.#reopening = null
    })
    return this.#reopening
  }

  /** @param reason What later reads are told. */
  async close(reason: Error = new ClosedError({ what: 'store' })): Promise<void> {
    this.#closed ??= reason
    await this.#database.close()
  }

  async #closeAndOpen(): Promise<void> {
    await this.#database.close()
    this.#database = await openDurably(this.path, this.#open, { createIfMissing: false })
  }

  /**
   * Reads a page. The tables at its beginning are checked before LevelDB reads them, and those up to its last entry before it
   * is given out: another entry may be missing there. An empty page says that nothing is in the whole range.
   */
  async #checked<Entry>(
    range: KeyRange,
    keyOf: (entry: Entry) => string,
    operation: (database: Database) => Promise<Entry[]>,
  ): Promise<Entry[]> {
    const unread = this.#unread
    if (!unread?.size) return this.#read(operation)
    const { gte, lt, lte, reverse = false, limit } = range
    const whole = { from: gte, to: lte ?? lt ?? LAST_KEY }
    const start = reverse ? whole.to : whole.from
    await unread.readFrom(start, limit === 1 ? { from: start, to: start } : whole)
    const entries = await this.#read(operation)
    const last = entries.at(-1)
    const end = last === undefined ? null : keyOf(last)
    await unread.read([end === null ? whole : reverse ? { ...whole, from: end } : { ...whole, to: end }])
    return entries
  }

  async #read<Result>(operation: (database: Database) => Promise<Result>): Promise<Result> {
    if (this.#closed) throw this.#closed
    if (this.#reopening) await this.#reopening
    const database = this.#database
    try {
      return await operation(database)
    } catch (cause) {
      if (this.#closed) throw this.#closed
      if (this.#reopening || database !== this.#database) return this.#read(operation)
      throw databaseError(this.path, cause)
    }
  }
}

/** Sorts after every key. */
const LAST_KEY = '\x7f'

/** LevelDB starts a new manifest when it is opened, but does not sync the renaming that makes it the current one. */
async function openDurably(
  path: string,
  open: OpenDatabase,
  options: { readonly createIfMissing: boolean },
): Promise<Database> {
  const database = await translateErrors(path, open(path, options))
  await syncDirectory(path)
  return database
}

async function translateErrors<Result>(path: string, operation: Promise<Result>): Promise<Result> {
  try {
    return await operation
  } catch (cause) {
    throw databaseError(path, cause)
  }
}

/** System messages for failed writes and exhausted resources. Any other I/O error of LevelDB means damage. */
const NOT_DAMAGE =
  /No space left|Disk quota|Read-only file system|Permission denied|Too many open files|File too large/i

/** LevelDB's codes distinguish only locks and corruption; anything else must be read from the message. */
function databaseError(path: string, cause: unknown): Error {
  const reason = rootCause(cause)
  const { code, message } = reason as Error & { code?: string }
  if (code === 'LEVEL_LOCKED') return new StoreInUse({ path, pid: null }, { cause })
  if (code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && !NOT_DAMAGE.test(message))) {
    return new StoreDamaged({ path, file: fileNamedIn(message) ?? path, problem: message }, { cause })
  }
  if (code === 'LEVEL_DATABASE_NOT_OPEN') {
    return new StoreReadOnly({ path, problem: 'its log could not be opened again' }, { cause })
  }
  if (code === 'LEVEL_IO_ERROR') return new StoreReadOnly({ path, problem: message }, { cause })
  return reason
}

const fileNamedIn = (message: string) =>
  /\/\S+?\.(?:ldb|sst|log)|\/\S*MANIFEST-\d+|\/\S*CURRENT/.exec(message)?.[0]

export function rootCause(error: unknown): Error {
  let reason = error instanceof Error ? error : new Error(String(error))
  while (reason.cause instanceof Error) reason = reason.cause
  return reason
}
