/**
 * One owner per store. LevelDB has a lock of its own, but it can be passed through a symbolic link in the same process,
 * and by whoever removes its file; ours goes by the directory itself and says who holds it.
 */
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreInUse } from '../../events/errors/store.ts'
import { directoryIdentity, exists, FILE_MODE, isMissing } from '../directory.ts'
import { type HostProcess, isAlive, thisProcess } from '../process-identity.ts'

/** The directories that this process has open, by device and inode: the lock's file may be removed by others. */
const held = new Set<string>()

export interface StoreLock {
  release(): Promise<void>
}

/** Locks a store's directory, or throws {@link StoreInUse}. The lock of a process that has died counts for nothing. */
export async function lockStore(baseDir: string): Promise<StoreLock> {
  const directory = await directoryIdentity(baseDir)
  if (held.has(directory)) throw new StoreInUse({ path: baseDir, pid: process.pid })
  held.add(directory)
  const path = join(baseDir, 'lock')
  try {
    await acquire(path, baseDir)
  } catch (error) {
    held.delete(directory)
    throw error
  }
  return {
    async release() {
      await rm(path, { force: true })
      held.delete(directory)
    },
  }
}

/** The process that has a store open; null when there is none. Reads only. */
export async function liveOwner(baseDir: string): Promise<HostProcess | null> {
  const owner = await readOwner(join(baseDir, 'lock'))
  return owner !== null && isAlive(owner) ? owner : null
}

/** Whether there is a lock, be it of a process that has died: then the store was not closed. */
export const lockExists = async (baseDir: string) => (await readOwner(join(baseDir, 'lock'))) !== null

async function acquire(path: string, baseDir: string): Promise<void> {
  const own = `${path}.${randomUUID()}`
  await writeFile(own, JSON.stringify(thisProcess()), { mode: FILE_MODE })
  try {
    while (!(await linked(own, path))) {
      const owner = await readOwner(path)
      // It was released just now.
      if (owner === null) continue
      if (isAlive(owner)) throw new StoreInUse({ path: baseDir, pid: owner.pid })
      if (await takeOver(own, path, owner, baseDir)) return
    }
  } finally {
    await rm(own, { force: true })
  }
}

/**
 * Replaces the lock of a dead process. Two may find the same dead owner, and the second must not replace the lock that
 * the first one has put there: so whoever replaces it holds a lock on doing so, and looks again.
 */
async function takeOver(own: string, path: string, dead: HostProcess, baseDir: string): Promise<boolean> {
  const turn = `${path}.takeover`
  await acquire(turn, baseDir)
  try {
    const owner = await readOwner(path)
    if (owner?.pid !== dead.pid || owner.started !== dead.started) return false
    await rename(own, path)
    return true
  } finally {
    await rm(turn, { force: true })
  }
}

/** A link appears with its whole content or not at all, and never replaces another. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (exists(error)) return false
    throw error
  }
}

const UNREADABLE: HostProcess = { pid: 0, started: 'unreadable' }

/** null when there is no such lock. One that nobody can read was torn by a crash of the system: its owner is gone. */
async function readOwner(path: string): Promise<HostProcess | null> {
  try {
    const owner = JSON.parse(await readFile(path, 'utf8')) as Partial<HostProcess> | null
    if (!owner?.pid) return UNREADABLE
    return { pid: owner.pid, started: owner.started === undefined ? 'unknown' : owner.started }
  } catch (error) {
    if (isMissing(error)) return null
    if (error instanceof SyntaxError) return UNREADABLE
    throw error
  }
}
