/**
 * A directory held open, so that its children are reached through this very directory, whatever happens to its path.
 * Node has no openat; on Linux `/proc/self/fd/N/name` does the same. Elsewhere, the path is checked before and after.
 */
import { type BigIntStats, constants, existsSync } from 'node:fs'
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { unless } from './file-problems.ts'

/** How to address children: through the open descriptor, or by path where that is not possible. */
export type Addressing = 'descriptor' | 'path'

export const systemAddressing: Addressing =
  process.platform === 'linux' && existsSync('/proc/self/fd') ? 'descriptor' : 'path'

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
  /**
   * Throws if the path now leads to another directory. Does nothing if children are addressed through the descriptor.
   */
  checkUnmoved(): Promise<void>
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
export async function openChild(parent: Directory, name: string): Promise<Directory> {
  await parent.checkUnmoved()
  const handle = await open(parent.at(name), DIRECTORY_ONLY)
  const opened = await directoryOf(handle, join(parent.path, name), parent.addressing)
  await unmovedOrClosed(parent, opened)
  await unmovedOrClosed(opened, opened)
  return opened
}

/** The errors of opening something that was swapped or removed after it was listed. */
export const SWAPPED = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']

/** null if the child is not a directory, or is gone. */
export const openChildIfThere = (parent: Directory, name: string): Promise<Directory | null> =>
  unless(SWAPPED, openChild(parent, name))

export async function makeChild(parent: Directory, name: string): Promise<Directory> {
  await parent.checkUnmoved()
  await mkdir(parent.at(name), { mode: PRIVATE_DIRECTORY })
  return openChild(parent, name)
}

export const lstatIfThere = (address: string | Buffer): Promise<BigIntStats | null> =>
  unless(SWAPPED, lstat(address, { bigint: true }))

async function directoryOf(handle: FileHandle, path: string, addressing: Addressing): Promise<Directory> {
  const address = addressing === 'descriptor' ? `/proc/self/fd/${handle.fd}` : path
  const identity = identityOf(await handle.stat({ bigint: true }))
  return {
    path,
    addressing,
    identity,
    address,
    at: (name) => `${address}/${name}`,
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

export const identityOf = ({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string => `${dev}:${ino}`
