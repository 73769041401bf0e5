/**
 * A directory held open, so that its children are reached through this very directory, whatever happens to its path.
 * Node has no openat; on Linux `/proc/self/fd/N/name` does the same. Elsewhere, the path is checked before and after.
 */
import { type BigIntStats, constants, existsSync } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { identityOf } from '../../store/directory.ts'
import { unless } from './file-problems.ts'

/** How to address children: through the open descriptor, or by path where that is not possible. */
export type Addressing = 'descriptor' | 'path'

export const systemAddressing: Addressing =
  process.platform === 'linux' && existsSync('/proc/self/fd') ? 'descriptor' : 'path'

/** The name of an entry: its bytes where they are not UTF-8, since decoding would lose them. */
export type EntryName = string | Buffer

export function entryName(bytes: Buffer): EntryName {
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : bytes
}

/** The name as text, also of bytes that are not UTF-8: for messages, paths in records, and comparisons. */
export const readName = (name: EntryName): string =>
  typeof name === 'string' ? name : name.toString('latin1')

export interface Directory extends AsyncDisposable {
  /** Its path when it was opened, for messages. */
  readonly path: string
  readonly addressing: Addressing
  /** Identifies the directory, under whatever path. */
  readonly identity: string
  /** The address of the directory itself. */
  readonly address: string
  /** The address of a child. The name is a single step, never `../../claude`. */
  at(name: string): string
  at(name: EntryName): EntryName
  /**
   * Throws if the path now leads to another directory. Does nothing if children are addressed through the descriptor.
   */
  checkUnmoved(): Promise<void>
  /** Lets its owner read and change it: an agent may have locked it, as some tools lock their caches. */
  unlock(): Promise<void>
}

/** The mode of everything that is created. */
export const PRIVATE_DIRECTORY = 0o700

const DIRECTORY_ONLY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Opens a directory by its path. The last step must not be a link; the steps before it are the caller's
 * responsibility.
 */
export async function openDirectory(
  path: string,
  addressing: Addressing = systemAddressing,
): Promise<Directory> {
  return directoryOf(await open(path, DIRECTORY_ONLY), path, addressing)
}

/** Opens a folder that the caller named. It may be a link, since that is what was asked for. */
export async function openNamedDirectory(path: string, addressing: Addressing): Promise<Directory> {
  return directoryOf(await open(path, constants.O_RDONLY | constants.O_DIRECTORY), path, addressing)
}

/** Throws ENOTDIR or ELOOP if the child is a link or not a directory, ENOENT if it does not exist. */
export async function openChild(parent: Directory, name: EntryName): Promise<Directory> {
  await parent.checkUnmoved()
  const handle = await open(parent.at(name), DIRECTORY_ONLY)
  const opened = await directoryOf(handle, join(parent.path, readName(name)), parent.addressing)
  await unmovedOrClosed(parent, opened)
  await unmovedOrClosed(opened, opened)
  return opened
}

/** The errors of opening something that was swapped or removed after it was listed. */
export const SWAPPED = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']

/** null if the child is not a directory, or is gone. */
export const openChildIfThere = (parent: Directory, name: EntryName): Promise<Directory | null> =>
  unless(SWAPPED, openChild(parent, name))

export async function makeChild(parent: Directory, name: EntryName): Promise<Directory> {
  await parent.checkUnmoved()
  await mkdir(parent.at(name), { mode: PRIVATE_DIRECTORY })
  return openChild(parent, name)
}

export interface DirectoryEntry {
  readonly name: EntryName
  /** What it was when it was listed; null if the file system does not say. */
  readonly isDirectory: boolean | null
}

/** All entries, in no order. Entries that are added or removed meanwhile may be missing. */
export async function* entriesOf(directory: Directory): AsyncGenerator<DirectoryEntry> {
  // The types know only text.
  for await (const entry of await opendir(directory.address, { encoding: 'buffer' as 'utf8' })) {
    const isKnown = entry.isDirectory() || entry.isFile() || entry.isSymbolicLink()
    yield {
      name: entryName(entry.name as unknown as Buffer),
      isDirectory: isKnown ? entry.isDirectory() : null,
    }
  }
}

export const lstatIfThere = (address: string | Buffer): Promise<BigIntStats | null> =>
  unless(SWAPPED, lstat(address, { bigint: true }))

async function directoryOf(handle: FileHandle, path: string, addressing: Addressing): Promise<Directory> {
  const address = addressing === 'descriptor' ? `/proc/self/fd/${handle.fd}` : path
  const stats = await handle.stat({ bigint: true })
  const identity = identityOf(stats)
  return {
    path,
    addressing,
    identity,
    address,
    at: ((name: EntryName) =>
      typeof name === 'string'
        ? `${address}/${name}`
        : Buffer.concat([Buffer.from(`${address}/`), name])) as Directory['at'],
    async checkUnmoved() {
      if (addressing === 'descriptor') return
      const found = await lstatIfThere(path)
      if (found && identityOf(found) === identity) return
      throw new WorkspaceError({
        path,
        problem: 'the directory was replaced while it was in use',
        hint: 'Stop what is changing it, then try again.',
      })
    },
    async unlock() {
      if ((Number(stats.mode) & PRIVATE_DIRECTORY) !== PRIVATE_DIRECTORY)
        await handle.chmod(PRIVATE_DIRECTORY)
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

async function unmovedOrClosed(directory: Directory, toClose: Directory): Promise<void> {
  try {
    await directory.checkUnmoved()
  } catch (error) {
    await toClose[Symbol.asyncDispose]()
    throw error
  }
}
