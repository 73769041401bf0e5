/** Copies a folder and everything in it, following no link and never leaving it. */
import { createHash, hash } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open, readlink, symlink } from 'node:fs/promises'
import type { LeftOutEntry } from '../../events/task-input.ts'
import {
  type Directory,
  type EntryName,
  entriesOf,
  lstatIfThere,
  makeChild,
  openChildIfThere,
  readName,
  SWAPPED,
} from './directory.ts'
import { type CopyContext, copyContent, READ_FILE } from './file-copy.ts'
import { about, unless } from './file-problems.ts'

export interface TreeEntry {
  /** Relative to the folder, with `/`. Names that are not UTF-8 are read as Latin-1. */
  readonly path: string
  readonly kind: 'file' | 'executable' | 'directory' | 'link'
  /** Of the content, of a link of its target; empty for a directory. */
  readonly sha256: string
  readonly bytes: number
}

export interface CopiedTree {
  readonly entries: readonly TreeEntry[]
  /** How many entries were left out: links that lead out, pipes, sockets, devices, and what vanished before it could be read. */
  readonly skipped: number
  /** The first of them; absent if there are none. */
  readonly leftOut?: readonly LeftOutEntry[]
}

/** More are only counted. */
const MOST_NAMED = 10
const LONGEST_NAME = 200

/** Whether to copy this path, relative to the folder. */
export type PathFilter = (path: string) => boolean

/**
 * Copies the contents of `from` into the empty directory `into`. A link that stays inside is copied as a link; one that may
 * lead out is left out.
 */
export async function copyFolder(
  from: Directory,
  into: Directory,
  context: CopyContext,
  accepts: PathFilter = () => true,
): Promise<CopiedTree> {
  const entries: TreeEntry[] = []
  const leftOut: LeftOutEntry[] = []
  let skipped = 0
  const skip = (path: string, what: string) => {
    context.allowance.takeEntry(context.source)
    skipped += 1
    if (leftOut.length < MOST_NAMED) leftOut.push({ path: path.slice(0, LONGEST_NAME), what })
  }

  const walk = async (source: Directory, target: Directory, prefix: string, depth: number): Promise<void> => {
    context.allowance.checkDepth(depth, context.source)
    for (const name of await namesIn(source, context)) {
      context.signal.throwIfAborted()
      const path = prefix + readName(name)
      if (!accepts(path)) continue
      const stats = await lstatIfThere(source.at(name))
      await context.onStep({ name: 'entry-seen', path })
      if (stats?.isDirectory()) await enter(source, target, name, path, depth)
      else if (stats?.isFile()) await copyFile(source, target, name, path)
      else if (stats?.isSymbolicLink()) await copyLink(source, target, name, path, depth)
      else skip(path, kindOf(stats))
    }
  }

  const enter = async (
    source: Directory,
    target: Directory,
    name: EntryName,
    path: string,
    depth: number,
  ) => {
    await using child = await about(`${source.path}/${readName(name)}`, () => openChildIfThere(source, name))
    if (!child) return skip(path, GONE)
    if (context.exclude.has(child.identity)) return skip(path, 'a folder of the log or of an agent')
    context.allowance.takeEntry(context.source)
    entries.push({ path, kind: 'directory', sha256: '', bytes: 0 })
    await using made = await makeChild(target, name)
    await walk(child, made, `${path}/`, depth + 1)
  }

  const copyFile = async (source: Directory, target: Directory, name: EntryName, path: string) => {
    await using file = await about(`${source.path}/${readName(name)}`, () => openFileIfThere(source, name))
    if (!file) return skip(path, GONE)
    const { sha256, bytes, executable } = await copyContent(file, target, name, path, context)
    entries.push({ path, kind: executable ? 'executable' : 'file', sha256, bytes })
  }

  const copyLink = async (
    source: Directory,
    target: Directory,
    name: EntryName,
    path: string,
    depth: number,
  ) => {
    const to = await unless([...SWAPPED, 'EINVAL'], readlink(source.at(name), { encoding: 'buffer' }))
    await source.checkUnmoved()
    if (to === null) return skip(path, GONE)
    if (!staysInside(to.toString('latin1'), depth)) return skip(path, 'a link that may lead out of it')
    context.allowance.takeEntry(context.source)
    await target.checkUnmoved()
    await symlink(to, target.at(name))
    entries.push({ path, kind: 'link', sha256: hash('sha256', to), bytes: 0 })
  }

  await walk(from, into, '', 0)
  return { entries, skipped, ...(leftOut.length > 0 ? { leftOut } : {}) }
}

const GONE = 'gone, or replaced, before it could be read'

/**
 * Whether a link so many folders down leads to a place inside, whatever other links are there: it climbs no further than to
 * the top, and before it descends, since what it descends through may be a link itself.
 */
function staysInside(target: string, depth: number): boolean {
  const steps = target.split('/').filter((step) => step !== '' && step !== '.')
  const climbs = steps.findIndex((step) => step !== '..')
  const up = climbs === -1 ? steps.length : climbs
  return target !== '' && !target.startsWith('/') && up <= depth && !steps.slice(up).includes('..')
}

function kindOf(stats: BigIntStats | null): string {
  if (stats === null) return GONE
  if (stats.isFIFO()) return 'a pipe'
  return stats.isSocket() ? 'a socket' : 'a device'
}

/** Sorted, so that a limit is always reached at the same entry. Stops reading a directory that is endless. */
async function namesIn(directory: Directory, { allowance, source }: CopyContext): Promise<EntryName[]> {
  const names: EntryName[] = []
  const limit = 2 * allowance.limits.files
  for await (const { name } of entriesOf(directory)) {
    names.push(name)
    if (names.length > limit) allowance.refuse(source)
  }
  return names.sort((one, other) => (readName(one) < readName(other) ? -1 : 1))
}

/** null if it is not a regular file, or is gone. */
async function openFileIfThere(directory: Directory, name: EntryName): Promise<FileHandle | null> {
  const file = await unless(SWAPPED, open(directory.at(name), READ_FILE | constants.O_NOFOLLOW))
  if (!file) return null
  try {
    await directory.checkUnmoved()
    if ((await file.stat()).isFile()) return file
  } catch (error) {
    await file.close()
    throw error
  }
  await file.close()
  return null
}

/** One hash of a whole tree, of one JSON line per entry in the order of paths: equal wherever the same is in it. */
export function treeDigest(entries: readonly TreeEntry[]): string {
  const digest = createHash('sha256')
  const sorted = entries
    .map((entry) => ({ ...entry, key: Buffer.from(entry.path) }))
    .sort((one, other) => Buffer.compare(one.key, other.key))
  for (const { path, kind, sha256 } of sorted) digest.update(`${JSON.stringify([path, kind, sha256])}\n`)
  return digest.digest('hex')
}

/** The number of files and their total size. */
export function treeSize(entries: readonly TreeEntry[]): { files: number; bytes: number } {
  const files = entries.filter(({ kind }) => kind === 'file' || kind === 'executable')
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}
