/** The directory that LevelDB keeps a database in: which files are there, and which of them it consists of. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifest, readManifest, type TableEntry } from './manifest.ts'

export interface DatabaseFile {
  readonly path: string
  readonly number: number
}

export interface TableOnDisk extends DatabaseFile {
  /** What the MANIFEST says of it; null where it says nothing. */
  readonly entry: TableEntry | null
}

export interface FileProblem {
  readonly file: string
  /** Where in the file; null when that is not the point. */
  readonly offset: number | null
  readonly problem: string
}

export const problemText = ({ offset, problem }: FileProblem) =>
  offset === null ? problem : `${problem}, at byte ${offset}`

export interface LogDirectory {
  /** The tables that the database consists of, as far as they are there. */
  readonly tables: readonly TableOnDisk[]
  /** The logs that are not in the tables yet, the oldest first. */
  readonly logs: readonly DatabaseFile[]
  /** Tables and logs that belong to it no longer, or not yet: a killed process may leave some. */
  readonly strays: readonly DatabaseFile[]
  /** The MANIFEST files beside the one that CURRENT names, likewise. */
  readonly otherManifests: readonly string[]
  /** What is wrong with CURRENT and MANIFEST, and what is missing. */
  readonly problems: readonly FileProblem[]
  /** A MANIFEST whose last change was never written to its end. */
  readonly torn: FileProblem | null
  /** What CURRENT says: another one with each opening. */
  readonly current: string | null
}

const TABLE = /^(\d+)\.(?:ldb|sst)$/
const LOG = /^(\d+)\.log$/
const MANIFEST = /^MANIFEST-\d+$/

/** Reads only. What is damaged is said, never thrown. */
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
  const current = await readFile(currentFile, 'latin1').catch(() => null)
  const name = current?.endsWith('\n') ? current.slice(0, -1) : null
  const lost = (file: string, problem: string): LogDirectory => ({
    // Which files count is not known: all of them do.
    tables: tables.map((file) => ({ ...file, entry: null })),
    logs,
    strays: [],
    otherManifests: [],
    problems: [{ file, offset: null, problem }],
    torn: null,
    current,
  })
  if (current === null) return lost(currentFile, 'it is missing')
  if (name === null || !MANIFEST.test(name)) return lost(currentFile, 'its content is corrupted')
  const file = join(directory, name)
  const content = await readFile(file).catch(() => null)
  if (content === null) return lost(file, 'it is missing')
  const otherManifests = names
    .filter((other) => MANIFEST.test(other) && other !== name)
    .map((other) => join(directory, other))
  return { ...made(directory, file, readManifest(content), tables, logs), otherManifests, current }
}

function made(
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
  // It is made before a MANIFEST names it, and stays until one names another.
  if (logNumber > 0 && !logs.some(({ number }) => number === logNumber)) {
    problems.push({
      file: join(directory, `${padded(logNumber)}.log`),
      offset: null,
      problem: 'it is missing',
    })
  }
  // What a damaged MANIFEST does not name may be the newest of all.
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
        : { file, offset: manifest.tornAt, problem: 'its last change is incomplete' },
  }
}

const padded = (number: number) => String(number).padStart(6, '0')
