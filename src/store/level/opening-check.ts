/**
 * Finds damage that LevelDB would ignore. It skips damaged records of its log files; falls back to older tables if its
 * MANIFEST ends early, and deletes the newer ones; returns outdated values if the index of a table is damaged; and aborts the
 * process on some damaged blocks. So every checksum is verified before LevelDB reads the file (decision 5): those of its log
 * files and of new tables before it opens the log, those of other tables before they are used (decision 18).
 */

import { randomUUID } from 'node:crypto'
import { link, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { StoreDamaged } from '../../events/errors/store.ts'
import type { Logger } from '../../logger.ts'
import { makeDirectory, readPlainFile, writeWholeFile } from '../directory.ts'
import {
  type FileProblem,
  type LogDirectory,
  problemText,
  readLogDirectory,
  type TableOnDisk,
} from '../files/log-directory.ts'
import { scanLogFile } from '../files/log-file.ts'
import { type KeySpan, TableCheck, tableProblem } from '../files/table-check.ts'
import { decodeBatch } from '../files/write-batch.ts'
import type { TableGuard } from './database.ts'
import type { StorePaths } from './directory.ts'

const TABLES_AT_ONCE = 8

/**
 * Throws {@link StoreDamaged}, naming the file. Returns the tables that are still to be read.
 *
 * @param isTemporary Whether the files are a copy that lasts as long as this process, so that nothing is remembered of them.
 */
export async function checkBeforeOpening(paths: StorePaths, isTemporary = false): Promise<UnreadTables> {
  const directory = await readLogDirectory(paths.log)
  const fail = (problem: FileProblem) => {
    throw new StoreDamaged({ path: paths.base, file: problem.file, problem: problemText(problem) })
  }
  const problem = directory.problems[0] ?? (await firstLogProblem(directory))
  if (problem) fail(problem)
  const isUnchanged = await unchangedSince(paths)
  const areUnchanged = await Promise.all(directory.tables.map(isUnchanged))
  const old = directory.tables.filter((_, at) => areUnchanged[at])
  const fresh = directory.tables.filter((_, at) => !areUnchanged[at])
  const { unread, left } = await UnreadTables.keep(paths, old)
  const damage = await firstTableProblem([...fresh, ...left])
  if (damage) fail(damage)
  if (fresh.length > 0 && !isTemporary) await rememberTables(paths)
  return unread
}

async function firstLogProblem({ logs }: LogDirectory): Promise<FileProblem | null> {
  let torn: FileProblem | null = null
  for (const { path: file } of logs) {
    const content = await readPlainFile(file)
    const { records, damage, tornAt } = scanLogFile(content)
    if (damage[0]) return { file, ...damage[0] }
    for (const { offset, payload } of records) {
      const { problem } = decodeBatch(payload)
      if (problem !== null) return { file, offset, problem }
    }
    // A killed writer can leave a torn record only in the last log: no later one is written before this is a table.
    if (torn && content.length > 0) return torn
    if (tornAt !== null) torn = { file, offset: tornAt, problem: 'it contains an incomplete record' }
  }
  return null
}

async function firstTableProblem(tables: readonly TableOnDisk[]): Promise<FileProblem | null> {
  for (let first = 0; first < tables.length; first += TABLES_AT_ONCE) {
    const problems = await Promise.all(tables.slice(first, first + TABLES_AT_ONCE).map(tableProblem))
    const problem = problems.find((found) => found !== null)
    if (problem) return problem
  }
  return null
}

/** Between two tables that are read in the background, in ms: it takes a tenth of one core. */
const PAUSE_MS = 50
/** After a table that could not be read, in ms. */
const RETRY_MS = 10_000

interface UnreadTable extends TableOnDisk {
  readonly smallest: string
  readonly largest: string
  readonly check: TableCheck
  /** What is being read of it, one after the other. */
  reading: Promise<void>
}

/**
 * Tables that were not read when the log was opened: they were read before, or written by the last owner, and have not changed
 * since. A table never changes, so only the disk can have damaged one.
 */
export class UnreadTables implements TableGuard {
  /** The first damage that was found; null if none was. */
  damage: StoreDamaged | null = null
  readonly #paths: StorePaths
  readonly #directory: string
  readonly #tables: Set<UnreadTable>
  #isClosed = false
  #cancel = () => {}

  private constructor(paths: StorePaths, directory: string, tables: readonly UnreadTable[]) {
    this.#paths = paths
    this.#directory = directory
    this.#tables = new Set(tables)
  }

  /**
   * Keeps these tables until they are read: LevelDB may compact them before, and must not hide their damage.
   *
   * @returns With those that could not be kept, which are to be read now.
   */
  static async keep(
    paths: StorePaths,
    tables: readonly TableOnDisk[],
  ): Promise<{ readonly unread: UnreadTables; readonly left: readonly TableOnDisk[] }> {
    await rm(paths.unread, { recursive: true, force: true })
    // A directory of its own: an owner that has lost the store removes no file of the next one.
    const directory = join(paths.unread, randomUUID())
    if (tables.length > 0) await makeDirectory(directory)
    const left: TableOnDisk[] = []
    const linked = await Promise.all(
      tables.map(async (table): Promise<UnreadTable[]> => {
        const path = join(directory, basename(table.path))
        const isLinked = await link(table.path, path).then(
          () => true,
          () => false,
        )
        const kept = { ...table, path }
        const check = new TableCheck(kept)
        if (isLinked && table.entry) return [{ ...kept, ...keysOf(table.entry), check, reading: NOTHING }]
        left.push(table)
        return []
      }),
    )
    return { unread: new UnreadTables(paths, directory, linked.flat()), left }
  }

  get size(): number {
    return this.#tables.size
  }

  async read(spans: readonly KeySpan[]): Promise<void> {
    if (this.damage) throw this.damage
    for (const table of this.#tables) {
      const within = spans.filter((span) => mayHold(table, span))
      if (within.length > 0) await this.#read(table, (check) => check.spans(within))
    }
  }

  async readFrom(end: string, span: KeySpan): Promise<void> {
    if (this.damage) throw this.damage
    const point = { from: end, to: end }
    for (const table of this.#tables)
      if (mayHold(table, point)) await this.#read(table, (check) => check.spans([span]))
  }

  /** Reads the tables that nothing asks for, one after the other. */
  scrub(clock: Clock, logger: Logger, pauseMs = PAUSE_MS): void {
    if (this.#isClosed) return
    this.#cancel = clock.after(pauseMs, async () => {
      const [next] = this.#tables
      if (!next) return
      try {
        await this.#read(next)
        this.scrub(clock, logger)
      } catch (error) {
        const store = this.#paths.base
        if (error instanceof StoreDamaged) return logger.error({ store, error }, 'The store is damaged')
        logger.warn({ store, error }, 'A table of the store could not be read: it is read again later')
        this.#tables.delete(next)
        this.#tables.add(next)
        this.scrub(clock, logger, RETRY_MS)
      }
    })
  }

  /** Reads no more. What was found to be damaged is read again at the next opening. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await Promise.allSettled([...this.#tables].map(({ reading }) => reading))
    this.#tables.clear()
    // What cannot be removed, as from a directory that is gone, is left to the next opening.
    await rm(this.#directory, { recursive: true, force: true }).catch(() => {})
  }

  #read(table: UnreadTable, part = (check: TableCheck) => check.all()): Promise<void> {
    const reading = table.reading.then(() => this.#check(table, part))
    // Damage stays; too many open files, or a disk that does not answer, can pass.
    table.reading = reading.catch(() => {})
    return reading
  }

  async #check(table: UnreadTable, part: (check: TableCheck) => Promise<FileProblem | null>): Promise<void> {
    if (this.damage) throw this.damage
    if (!this.#tables.has(table)) return
    const problem = await part(table.check)
    if (problem) {
      const file = join(this.#paths.log, basename(table.path))
      this.damage = new StoreDamaged({ path: this.#paths.base, file, problem: problemText(problem) })
      await rm(this.#paths.verified, { force: true })
      throw this.damage
    }
    if (!table.check.isDone) return
    this.#tables.delete(table)
    await rm(table.path, { force: true })
  }
}

const NOTHING = Promise.resolve()

const mayHold = ({ smallest, largest }: UnreadTable, { from, to }: KeySpan) =>
  smallest <= to && largest >= from

const keysOf = ({ smallest, largest }: { readonly smallest: string; readonly largest: string }) => ({
  smallest,
  largest,
})

/** Size and modification of each table, by name. */
type Remembered = Readonly<Record<string, string>>

/** Whether a table is as it was when it was remembered. */
async function unchangedSince(paths: StorePaths): Promise<(table: TableOnDisk) => Promise<boolean>> {
  const remembered = await readPlainFile(paths.verified)
    .then((text) => JSON.parse(String(text)) as Remembered)
    .catch((): Remembered => ({}))
  return async ({ path, entry }) => {
    const known = entry && Object.hasOwn(remembered, basename(path)) ? remembered[basename(path)] : undefined
    return known !== undefined && known === (await signatureOf(path))
  }
}

/** Remembers the tables as they are now. Forgetting them costs time at the next opening, and nothing else. */
export async function rememberTables(paths: StorePaths): Promise<void> {
  try {
    const names = (await readdir(paths.log)).filter((name) => /\.(?:ldb|sst)$/.test(name))
    const signatures = await Promise.all(
      names.map(async (name) => [name, await signatureOf(join(paths.log, name))] as const),
    )
    await writeWholeFile(paths.verified, `${JSON.stringify(Object.fromEntries(signatures))}\n`)
  } catch {
    await rm(paths.verified, { force: true }).catch(() => {})
  }
}

async function signatureOf(path: string): Promise<string> {
  const { size, mtimeNs } = await stat(path, { bigint: true })
  return `${size} ${mtimeNs}`
}
