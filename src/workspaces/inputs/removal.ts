/**
 * Removes a tree without ever leaving it: each directory is opened through its parent, and no link is followed.
 *
 * A tree may be of any depth, and names need not be UTF-8: an agent makes both. So nothing here recurses, holds a
 * descriptor per level, or builds a path per level. Directories that are found move up to the top of the tree, where
 * they are emptied one after the other; a removal that was interrupted can simply be repeated.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, lchmod, open, rename, rmdir, unlink } from 'node:fs/promises'
import { codeOf } from '../../events/errors/phrases.ts'
import {
  type Directory,
  type DirectoryEntry,
  type EntryName,
  entriesOf,
  lstatIfThere,
  openChildIfThere,
  PRIVATE_DIRECTORY,
  readName,
} from './directory.ts'
import { about, unless } from './file-problems.ts'

/** Removes the entry of that name. A link itself is removed, not its target. A missing entry is fine. */
export async function removeEntry(parent: Directory, name: EntryName): Promise<void> {
  await about(`${parent.path}/${readName(name)}`, async () => {
    if (await isDirectory(parent, { name, isDirectory: null })) await removeTree(parent, name)
    else await removeFile(parent, name)
  })
}

async function isDirectory(
  parent: Directory,
  { name, isDirectory: known }: DirectoryEntry,
): Promise<boolean> {
  return known ?? (await lstatIfThere(parent.at(name)))?.isDirectory() ?? false
}

async function removeTree(parent: Directory, name: EntryName): Promise<void> {
  {
    await using top = await openToEmpty(parent, name)
    if (!top) return
    // Each round empties the directories at the top. What they contain is at the top in the next round.
    while (await emptyOnce(top)) {}
  }
  await removeDirectory(parent, name)
}

/** Removes the files of a directory, and empties its directories into it. Whether it may still contain entries. */
async function emptyOnce(top: Directory): Promise<boolean> {
  let found = false
  for await (const entry of entriesOf(top)) {
    found = true
    if (await isDirectory(top, entry)) await emptyInto(top, entry.name)
    else await removeFile(top, entry.name)
  }
  return found
}

/** Removes a directory of the top. The directories in it move up. */
async function emptyInto(top: Directory, name: EntryName): Promise<void> {
  {
    await using child = await openToEmpty(top, name)
    if (!child) return
    for await (const entry of entriesOf(child)) {
      if (await isDirectory(child, entry)) await moveUp(child, entry.name, top)
      else await removeFile(child, entry.name)
    }
  }
  await removeDirectory(top, name)
}

/** To a name that no entry has. The directory itself has to be writable, because its `..` changes. */
async function moveUp(from: Directory, name: EntryName, top: Directory): Promise<void> {
  const moved = top.at(randomUUID())
  try {
    await rename(from.at(name), moved)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    if (!LOCKED.includes(codeOf(error))) throw error
    await unlockEntry(from, name)
    await rename(from.at(name), moved)
  }
}

const LOCKED = ['EACCES', 'EPERM']

/** null if it is not a directory, or is gone. */
async function openToEmpty(parent: Directory, name: EntryName): Promise<Directory | null> {
  const directory = await openChildIfThere(parent, name).catch(async (error) => {
    if (!LOCKED.includes(codeOf(error))) throw error
    await unlockEntry(parent, name)
    return openChildIfThere(parent, name)
  })
  await directory?.unlock()
  return directory
}

/** Linux: opens a directory without reading it, so that no permission is needed. */
const PATH_ONLY = 0o10000000

/** Unlocks a directory that cannot be opened, without following a link. */
async function unlockEntry(parent: Directory, name: EntryName): Promise<void> {
  if (parent.addressing === 'path') {
    // Only where links are not followed: on macOS.
    await lchmod?.(parent.at(name), PRIVATE_DIRECTORY)
    return
  }
  const flags = PATH_ONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
  await using entry = await open(parent.at(name), flags)
  await chmod(`/proc/self/fd/${entry.fd}`, PRIVATE_DIRECTORY)
}

const removeFile = (parent: Directory, name: EntryName) =>
  about(`${parent.path}/${readName(name)}`, () => unless(['ENOENT'], unlink(parent.at(name))))

const removeDirectory = (parent: Directory, name: EntryName) =>
  about(`${parent.path}/${readName(name)}`, () => unless(['ENOENT'], rmdir(parent.at(name))))
