/** The directory of a LevelDB database: its files, and which of them belong to the database. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { NotAFileError } from '../../events/errors/store.ts'
import { readPlainFile } from '../directory.ts'
import { type Manifest, readManifest, type TableEntry } from './manifest.ts'

export interface DatabaseFile {
  readonly path: string
  readonly number: number
}

export interface TableOnDisk extends DatabaseFile {
  /** Its entry in the MANIFEST; null if it has none. */
  readonly entry: TableEntry | null
}

export interface FileProblem {
  readonly file: string
  /** The offset in the file; null if none applies. */
  readonly offset: number | null
  readonly problem: string
}

export const problemText = ({ offset, problem }: FileProblem) =>
  offset === null ? problem : `${problem}, at byte ${offset}`

export interface LogDirectory {
  /** The tables of the database that exist. */
  readonly tables: readonly TableOnDisk[]
  /** The logs not yet turned into tables, oldest first. */
  readonly logs: readonly DatabaseFile[]
  /** Tables and logs that do not belong to the database, or not yet: a killed process may leave some. */
  readonly strays: readonly DatabaseFile[]
  /** The MANIFEST files other than the one that CURRENT names. */
  readonly otherManifests: readonly string[]
  /** What is wrong with CURRENT and MANIFEST, and which files are missing. */
  readonly problems: readonly FileProblem[]
  /** A MANIFEST whose last edit is incomplete. */
  readonly torn: FileProblem | null
  /** The content of CURRENT, which changes with each opening. */
  readonly current: string | null
}

const TABLE = /^(\d+)\.(?:ldb|sst)$/
const LOG = /^(\d+)\.log$/
const MANIFEST = /^MANIFEST-\d+$/

/** Does not write. Damage is returned, never thrown. */
export async function readLogDirectory(directory: string): Promise<LogDirectory> {
  const names = await readdir(directory).catch(() => [])
  const numbered = (pattern: RegExp): DatabaseFile[] =>
    names
      .flatMap((name) => {
        const number = pattern.exec(name)?.[1]
        return number === undefined ? [] : [{ path: join(directory, name), number: Number(number) }]
      })
      .sort((a, b) => a.number - b.number)
  const [tables, logs] = [numbered(TABLE), numbered(LOG)]
  const currentFile = join(directory, 'CURRENT')
  const current = (await readOrNull(currentFile))?.toString('latin1') ?? null
  const name = current?.endsWith('\n') ? current.slice(0, -1) : null
  const withoutManifest = (file: string, problem: string): LogDirectory => ({
    // Which files belong to the database is unknown: assume that all do.
    tables: tables.map((file) => ({ ...file, entry: null })),
    logs,
    strays: [],
    otherManifests: [],
    problems: [{ file, offset: null, problem }],
    torn: null,
    current,
  })
  if (current === null) return withoutManifest(currentFile, 'it is missing')
  if (name === null || !MANIFEST.test(name)) return withoutManifest(currentFile, 'its content is corrupted')
  const file = join(directory, name)
  const content = await readOrNull(file)
  if (content === null) return withoutManifest(file, 'it is missing')
  const otherManifests = names
    .filter((other) => MANIFEST.test(other) && other !== name)
    .map((other) => join(directory, other))
  return { ...byManifest(directory, file, readManifest(content), tables, logs), otherManifests, current }
}

function byManifest(
  directory: string,
  file: string,
  manifest: Manifest,
  tables: readonly DatabaseFile[],
  logs: readonly DatabaseFile[],
): Omit<LogDirectory, 'current' | 'otherManifests'> {
  const problems: FileProblem[] = manifest.problems.map((problem) => ({ file, ...problem }))
  const entries = new Map(manifest.tables.map((entry) => [entry.number, entry]))
  const { logNumber, previousLogNumber } = manifest
  const isCurrent = ({ number }: DatabaseFile) => number >= logNumber || number === previousLogNumber
  for (const { number } of manifest.tables) {
    if (tables.some((table) => table.number === number)) continue
    problems.push({ file: join(directory, `${padded(number)}.ldb`), offset: null, problem: 'it is missing' })
  }
  // LevelDB creates a log before a MANIFEST names it, and keeps it until one names another.
  if (logNumber > 0 && !logs.some(({ number }) => number === logNumber)) {
    problems.push({
      file: join(directory, `${padded(logNumber)}.log`),
      offset: null,
      problem: 'it is missing',
    })
  }
  // Files that a damaged MANIFEST does not name may be the newest.
  const trusted = manifest.problems.length === 0
  const known = tables.map((table) => ({ ...table, entry: entries.get(table.number) ?? null }))
  return {
    tables: trusted ? known.filter(({ entry }) => entry !== null) : known,
    logs: trusted ? logs.filter(isCurrent) : logs,
    strays: trusted
      ? [...known.filter(({ entry }) => entry === null), ...logs.filter((log) => !isCurrent(log))]
      : [],
    problems,
    torn:
      manifest.tornAt === null
        ? null
        : { file, offset: manifest.tornAt, problem: 'its last edit is incomplete' },
  }
}

const padded = (number: number) => String(number).padStart(6, '0')

/** What is not a file at all is refused; one that cannot be read counts as missing. */
const readOrNull = (path: string) =>
  readPlainFile(path).catch((error) => {
    if (error instanceof NotAFileError) throw error
    return null
  })
