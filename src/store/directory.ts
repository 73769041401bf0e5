/** Files and directories of a store: private to their owner, and durable once a write resolves. */
import { type BigIntStats, constants, type Stats } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { NotAFileError } from '../events/errors/store.ts'
import { NoWorkingDirectory } from '../events/errors/usage.ts'
import { unfinishedPath } from './unfinished.ts'

export const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT'
export const alreadyExists = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EEXIST'

/** The absolute form of a path. Throws {@link NoWorkingDirectory}. */
export function absolutePath(path: string): string {
  try {
    return resolve(path)
  } catch (cause) {
    throw new NoWorkingDirectory({ path }, { cause })
  }
}

/** Readable and writable by the owner only. */
export const FILE_MODE = 0o600
export const DIRECTORY_MODE = 0o700

/** Makes it, and those above it, where they are missing. Node's own way never ends where a parent takes no directory (/proc). */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: DIRECTORY_MODE })
  } catch (error) {
    if (alreadyExists(error) && (await stat(path)).isDirectory()) return
    const above = dirname(path)
    if (!isMissing(error) || above === path || (await isDirectory(above))) throw error
    await makeDirectory(above)
    await makeDirectory(path)
  }
}

const isDirectory = (path: string) =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** Keeps a new directory out of git: a store in a repository has prompts and transcripts, which `git add -A` would stage. */
export async function hideFromGit(directory: string): Promise<void> {
  await writeFile(join(directory, '.gitignore'), '*\n', { flag: 'wx', mode: FILE_MODE }).catch((error) => {
    if (!alreadyExists(error)) throw error
  })
}

/** Identifies a directory regardless of the path that leads to it. A copy has a different identity. */
export async function directoryIdentity(path: string): Promise<string> {
  return identityOf(await stat(path, { bigint: true }))
}

export const identityOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`

/** Opens a file for reading. Anything else in its place is refused: a pipe would be waited for, perhaps for ever. */
export async function openPlainFile(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause) => {
    // A socket cannot be opened at all.
    if (cause.code === 'ENXIO')
      throw new NotAFileError({ file: path, kind: 'a socket or a device' }, { cause })
    throw cause
  })
  try {
    refuseOthers(path, await file.stat())
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The content of a file. Throws {@link NotAFileError}, and the system's error if there is none. */
export async function readPlainFile(path: string): Promise<Buffer> {
  const file = await openPlainFile(path)
  try {
    return await file.readFile()
  } finally {
    await file.close()
  }
}

function refuseOthers(file: string, found: Stats): void {
  if (found.isFile()) return
  const kind = found.isDirectory() ? 'a directory' : found.isFIFO() ? 'a pipe' : 'a socket or a device'
  throw new NotAFileError({ file, kind })
}

/** Makes the creations, renames and removals in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Writes a file atomically and durably: to a temporary name, synced, then renamed. */
export async function writeWholeFile(path: string, content: string | Uint8Array): Promise<void> {
  const unfinished = unfinishedPath(path)
  try {
    const file = await open(unfinished, 'wx', FILE_MODE)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {})
    throw error
  }
  await syncDirectory(dirname(path))
}
