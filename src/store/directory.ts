/** Files and directories of a store: private to their owner, and durable once a write resolves. */
import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT'
export const alreadyExists = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EEXIST'

/** Readable and writable by the owner only. */
export const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

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
  const { dev, ino } = await stat(path, { bigint: true })
  return `${dev}:${ino}`
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
  const unfinished = `${path}.${randomUUID()}.unfinished`
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
