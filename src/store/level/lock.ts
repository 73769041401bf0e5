/**
 * The lock of a store: one owner at a time. LevelDB's own lock can be bypassed by a symbolic link in the same process, or
 * by removing its file; this one identifies the directory itself and records its holder.
 */
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreInUse } from '../../events/errors/store.ts'
import { alreadyExists, directoryIdentity, FILE_MODE, isMissing } from '../directory.ts'
import { type HostProcess, isAlive, thisProcess } from '../process-identity.ts'

/** The directories that this process has locked, by device and inode: anyone may remove the lock file. */
const held = new Set<string>()

export interface StoreLock {
  release(): Promise<void>
}

/** Locks a store's directory, or throws {@link StoreInUse}. The lock of a dead process is taken over. */
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

/** The process that has a store open; null if there is none. Does not write. */
export async function liveOwner(baseDir: string): Promise<HostProcess | null> {
  const owner = await readOwner(join(baseDir, 'lock'))
  return owner !== null && isAlive(owner) ? owner : null
}

/** Whether there is a lock, even one of a dead process: the store is then open or was not closed. */
export const lockExists = async (baseDir: string) => (await readOwner(join(baseDir, 'lock'))) !== null

async function acquire(path: string, baseDir: string): Promise<void> {
  const own = `${path}.${randomUUID()}`
  await writeFile(own, JSON.stringify(thisProcess()), { mode: FILE_MODE })
  try {
    while (!(await linked(own, path))) {
      const owner = await readOwner(path)
      // It has just been released.
      if (owner === null) continue
      if (isAlive(owner)) throw new StoreInUse({ path: baseDir, pid: owner.pid })
      if (await takeOver(own, path, owner, baseDir)) return
    }
  } finally {
    await rm(own, { force: true })
  }
}

/**
 * Replaces the lock of a dead process. If two processes find the same dead owner, the second must not replace the lock
 * of the first: so taking over needs a lock of its own, under which the owner is read again.
 */
async function takeOver(own: string, path: string, dead: HostProcess, baseDir: string): Promise<boolean> {
  const takeover = `${path}.takeover`
  await acquire(takeover, baseDir)
  try {
    const owner = await readOwner(path)
    if (owner?.pid !== dead.pid || owner.started !== dead.started) return false
    await rename(own, path)
    return true
  } finally {
    await rm(takeover, { force: true })
  }
}

/** A link appears with its whole content or not at all, and never replaces another file. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (alreadyExists(error)) return false
    throw error
  }
}

const UNREADABLE: HostProcess = { pid: 0, started: 'unreadable' }

/** The holder of a lock; null if there is no lock. An unreadable lock was torn by a system crash: its owner is dead. */
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
