/** Copies a folder and everything in it, following no link and never leaving it. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
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
  readonly kind: 'file' | 'executable' | 'directory'
  /** Of the content; empty for a directory. */
  readonly sha256: string
  readonly bytes: number
}

export interface CopiedTree {
  readonly entries: readonly TreeEntry[]
  /** Links, pipes, sockets, devices, and entries that disappeared before they could be read. */
  readonly skipped: number
}

/** Whether to copy this path, relative to the folder. */
export type PathFilter = (path: string) => boolean

/** Copies the contents of `from` into the empty directory `into`. */
export async function copyFolder(
  from: Directory,
  into: Directory,
  context: CopyContext,
  accepts: PathFilter = () => true,
): Promise<CopiedTree> {
  const entries: TreeEntry[] = []
  let skipped = 0
  const skip = () => {
    context.allowance.takeEntry(context.source)
    skipped += 1
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
      else skip()
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
    if (!child || context.exclude.has(child.identity)) return skip()
    context.allowance.takeEntry(context.source)
    entries.push({ path, kind: 'directory', sha256: '', bytes: 0 })
    await using made = await makeChild(target, name)
    await walk(child, made, `${path}/`, depth + 1)
  }

  const copyFile = async (source: Directory, target: Directory, name: EntryName, path: string) => {
    await using file = await about(`${source.path}/${readName(name)}`, () => openFileIfThere(source, name))
    if (!file) return skip()
    const { sha256, bytes, executable } = await copyContent(file, target, name, path, context)
    entries.push({ path, kind: executable ? 'executable' : 'file', sha256, bytes })
  }

  await walk(from, into, '', 0)
  return { entries, skipped }
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
