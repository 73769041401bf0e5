/** Looks at a part of a workspace, following no link: each entry with its kind and a digest of its content. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readlink } from 'node:fs/promises'
import { codeOf } from '../../events/errors/phrases.ts'
import {
  type Directory,
  type EntryName,
  entriesOf,
  lstatIfThere,
  openChildIfThere,
  readName,
  SWAPPED,
} from './directory.ts'
import { READ_FILE } from './file-copy.ts'
import { indexEntries } from './git-index.ts'

/** What an entry is, as far as placing it again would lose it. */
export interface SurveyedEntry {
  /** `unreadable`: its owner has locked it, so that nothing is known about it. */
  readonly kind: 'file' | 'executable' | 'directory' | 'link' | 'special' | 'unreadable'
  readonly bytes: number
  /** Of the content; empty for a directory. */
  readonly sha256: string
}

/** Entries by their path: relative to the workspace, with `/`. */
export type Survey = ReadonlyMap<string, SurveyedEntry>

/** An entry that a walk has come to. */
export interface FoundEntry {
  readonly path: string
  readonly kind: SurveyedEntry['kind']
  readonly bytes: number
  /** Reads the content. */
  digest(): Promise<string>
}

/** Whether to enter the entry, if it is a directory. */
type Visit = (entry: FoundEntry) => Promise<boolean> | boolean

/** Visits an entry, which the survey calls `path`, and everything below it, each directory before its entries. */
export async function walkTree(
  parent: Directory,
  name: EntryName,
  path: string,
  visit: Visit,
): Promise<void> {
  const stats = await lstatIfThere(parent.at(name))
  if (!stats) return
  const kind = kindOf(Number(stats.mode))
  const bytes = kind === 'directory' ? 0 : Number(stats.size)
  if (kind !== 'directory') {
    await visit({ path, kind, bytes, digest: () => digestOf(parent, name, path, kind) })
    return
  }
  const child = await unlessLocked(() => openChildIfThere(parent, name))
  if (child === null) return
  if (child === LOCKED) {
    await visit({ path, kind: 'unreadable', bytes, digest: async () => '' })
    return
  }
  await using directory = child
  if (!(await visit({ path, kind, bytes, digest: async () => '' }))) return
  for await (const { name: entry } of entriesOf(directory))
    await walkTree(directory, entry, `${path}/${stepOf(entry)}`, visit)
}

/** The survey of everything at and below an entry. */
export async function surveyTree(parent: Directory, name: EntryName, path: string): Promise<Survey> {
  const survey = new Map<string, SurveyedEntry>()
  await walkTree(parent, name, path, async (entry) => {
    const { kind, bytes } = entry
    survey.set(entry.path, { kind, bytes, sha256: await entry.digest() })
    return true
  })
  return survey
}

/** A name that is not UTF-8 begins with a NUL, which no name contains: it must not be taken for another one. */
const stepOf = (name: EntryName) => (typeof name === 'string' ? name : `\0${readName(name)}`)

const OWNER_MAY_RUN = 0o100

function kindOf(mode: number): SurveyedEntry['kind'] {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFDIR:
      return 'directory'
    case constants.S_IFLNK:
      return 'link'
    case constants.S_IFREG:
      return (mode & OWNER_MAY_RUN) === 0 ? 'file' : 'executable'
    default:
      return 'special'
  }
}

const LOCKED = 'locked'

async function unlessLocked<Result>(work: () => Promise<Result>): Promise<Result | typeof LOCKED> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM') return LOCKED
    throw error
  }
}

async function digestOf(
  parent: Directory,
  name: EntryName,
  path: string,
  kind: SurveyedEntry['kind'],
): Promise<string> {
  if (kind === 'special') return ''
  if (kind === 'link') {
    const target = await readlink(parent.at(name), { encoding: 'buffer' }).catch(() => Buffer.alloc(0))
    return createHash('sha256').update(target).digest('hex')
  }
  const digest = await unlessLocked(() => digestOfFile(parent, name, isGitIndex(path)))
  return digest === LOCKED ? 'unreadable' : digest
}

/** Git rewrites its index when it merely looks, so of an index only what it says about content counts. */
export const isGitIndex = (path: string): boolean => /(^|\/)\.git\/index$/.test(path)
/** A larger index is compared byte by byte. */
const LARGEST_INDEX = 64 * 1024 * 1024

const CHUNK = 256 * 1024

async function digestOfFile(parent: Directory, name: EntryName, isIndex: boolean): Promise<string> {
  const flags = READ_FILE | constants.O_NOFOLLOW
  const file = await open(parent.at(name), flags).catch((error: unknown) => {
    if (SWAPPED.includes(codeOf(error))) return null
    throw error
  })
  if (file === null) return 'gone'
  try {
    const { size } = await file.stat()
    if (isIndex && size <= LARGEST_INDEX) {
      const content = await file.readFile()
      return createHash('sha256')
        .update(indexEntries(content) ?? content)
        .digest('hex')
    }
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size + 1))
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
