/**
 * The lock of a store: one owner at a time.
 *
 * O1. The kernel keeps the hold that counts, on the directory itself: no file that is removed lets a second owner in.
 * O2. The file `lock` says who the owner is, and decides where the kernel's hold does not reach (decision 17).
 * O3. An owner whose file is gone, or is another one, acknowledges nothing more: also if its directory is.
 */
import { randomUUID } from 'node:crypto'
import { type BigIntStats, closeSync, fstatSync, openSync, statSync, writeFileSync } from 'node:fs'
import { link, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreInUse, StoreLockLost } from '../../events/errors/store.ts'
import {
  alreadyExists,
  directoryIdentity,
  FILE_MODE,
  isMissing,
  readPlainFile,
  syncDirectory,
} from '../directory.ts'
import { type HostProcess, livenessOf, namespaceOf, thisProcess } from '../process-identity.ts'
import { openLevel } from './database.ts'
import { holdInKernel, isHeldInKernel } from './kernel-hold.ts'

/** The directories that this process has locked, by device and inode: anyone may remove the lock file. */
const held = new Set<string>()

export interface StoreLock {
  /** Throws {@link StoreLockLost} once the lock file is not where it was made, or is another one. One `stat`. */
  check(): void
  release(): Promise<void>
}

/** What the lock file says of its owner. */
interface RecordedOwner extends HostProcess {
  /** The network namespace in which it holds the directory in the kernel; null if it does not. */
  readonly heldIn: string | null
}

/** A process that has a store open. Its pid is null where it is not known, or means nothing here. */
export interface StoreOwner {
  readonly pid: number | null
}

/** Locks a store's directory, or throws {@link StoreInUse}. The lock of a dead process is taken over. */
export async function lockStore(baseDir: string): Promise<StoreLock> {
  const identity = await directoryIdentity(baseDir)
  if (held.has(identity)) throw new StoreInUse({ path: baseDir, pid: process.pid })
  held.add(identity)
  // While it is open, no other directory gets its inode, and so its name in the kernel.
  const directory = openSync(baseDir, 'r')
  const letGo = () => {
    closeSync(directory)
    held.delete(identity)
  }
  const path = join(baseDir, 'lock')
  try {
    const hold = await holdInKernel(identity)
    if (hold === 'taken') throw new StoreInUse({ path: baseDir, pid: pidOf(await readOwner(path)) })
    try {
      const file = await acquire(path, {
        baseDir,
        heldIn: hold === 'unavailable' ? null : namespaceOf('net'),
      })
      // It tells a torn write from damage, so it must outlast a power loss.
      await syncDirectory(baseDir).catch(async (error) => {
        closeSync(file.descriptor)
        await rm(path, { force: true })
        throw error
      })
      const stats = fstatSync(directory, { bigint: true })
      return heldLock(file, { baseDir, directory: stats }, () => {
        if (hold !== 'unavailable') hold.release()
        letGo()
      })
    } catch (error) {
      if (hold !== 'unavailable') hold.release()
      throw error
    }
  } catch (error) {
    letGo()
    throw error
  }
}

/** The process that has a store open; null if there is none. Does not write. */
export async function liveOwner(baseDir: string): Promise<StoreOwner | null> {
  const identity = await directoryIdentity(baseDir)
  if (held.has(identity)) return { pid: process.pid }
  const owner = await readOwner(join(baseDir, 'lock'))
  if (owner !== null && livenessOf(owner) === 'alive') return { pid: owner.pid }
  if (await isHeldInKernel(identity)) return { pid: null }
  if (owner === null || livenessOf(owner) === 'dead' || holdsHere(owner)) return null
  return { pid: null }
}

/** Whether there is a lock, even one of a dead process: the store is then open or was not closed. */
export const lockExists = async (baseDir: string) => (await readOwner(join(baseDir, 'lock'))) !== null

/** A lock file that this process made. It is kept open, so that no other file gets its inode. */
interface LockFile {
  readonly path: string
  readonly descriptor: number
}

function heldLock(
  { path, descriptor }: LockFile,
  { baseDir, directory }: { readonly baseDir: string; readonly directory: BigIntStats },
  letGo: () => void,
): StoreLock {
  const own = fstatSync(descriptor, { bigint: true })
  let released: Promise<void> | null = null
  const release = async () => {
    try {
      // Another one would be the lock of another process.
      if (leadsTo(path, own)) await rm(path, { force: true })
    } finally {
      closeSync(descriptor)
      letGo()
    }
  }
  return {
    check() {
      if (leadsTo(path, own)) return
      throw new StoreLockLost({ path: baseDir, file: leadsTo(baseDir, directory) ? path : baseDir })
    },
    release() {
      released ??= release()
      return released
    },
  }
}

/** Whether a path leads to this file or directory now: not to another one, nor through something in place of a directory. */
function leadsTo(path: string, { dev, ino }: BigIntStats): boolean {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false })
    return found?.ino === ino && found.dev === dev
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR' || code === 'ELOOP') return false
    throw error
  }
}

interface Acquisition {
  readonly baseDir: string
  readonly heldIn: string | null
}

async function acquire(path: string, acquisition: Acquisition): Promise<LockFile> {
  const { baseDir, heldIn } = acquisition
  const own = `${path}.${randomUUID()}`
  const descriptor = openSync(own, 'wx', FILE_MODE)
  try {
    writeFileSync(descriptor, JSON.stringify({ ...thisProcess(), heldIn } satisfies RecordedOwner))
    while (!(await linked(own, path))) {
      const owner = await readOwner(path)
      // It has just been released.
      if (owner === null) continue
      if (await isInUse(owner, acquisition)) throw new StoreInUse({ path: baseDir, pid: pidOf(owner) })
      if (await takeOver(own, path, owner, acquisition)) break
    }
    return { path, descriptor }
  } catch (error) {
    closeSync(descriptor)
    throw error
  } finally {
    await rm(own, { force: true })
  }
}

/**
 * Replaces the lock of a dead process. If two processes find the same dead owner, the second must not replace the lock
 * of the first: so taking over needs a lock of its own, under which the owner is read again.
 */
async function takeOver(
  own: string,
  path: string,
  dead: RecordedOwner,
  acquisition: Acquisition,
): Promise<boolean> {
  const takeover = await acquire(`${path}.takeover`, acquisition)
  try {
    const owner = await readOwner(path)
    if (owner?.pid !== dead.pid || owner.started !== dead.started) return false
    await rename(own, path)
    return true
  } finally {
    closeSync(takeover.descriptor)
    await rm(takeover.path, { force: true })
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

/** Whether the owner of a lock file may be alive, asked by a process that holds the directory as far as it can. */
async function isInUse(owner: RecordedOwner, { baseDir, heldIn }: Acquisition): Promise<boolean> {
  // Were it alive, the hold that this process has would be its own.
  if (heldIn !== null && holdsHere(owner)) return false
  const liveness = livenessOf(owner)
  return liveness === 'unknown' ? isLogLocked(baseDir) : liveness === 'alive'
}

const holdsHere = ({ heldIn }: RecordedOwner) => heldIn !== null && heldIn === namespaceOf('net')

/**
 * Whether a process has LevelDB's own lock, of which the kernel tells across all namespaces. Opening the log to find out
 * would change it, so an empty database is opened whose lock file is the same one. In doubt the log is locked.
 */
async function isLogLocked(baseDir: string): Promise<boolean> {
  const folder = await mkdtemp(join(baseDir, 'lock.probe-'))
  try {
    await link(join(baseDir, 'log', 'LOCK'), join(folder, 'LOCK'))
    await (await openLevel(folder, { createIfMissing: true })).close()
    return false
  } catch {
    return true
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const pidOf = (owner: RecordedOwner | null) =>
  owner !== null && livenessOf(owner) === 'alive' ? owner.pid : null

const UNREADABLE: RecordedOwner = { pid: 0, started: 'unreadable', pidNamespace: null, heldIn: null }

/** The owner in a lock file; null if there is none. An unreadable file was torn by a system crash: its owner is dead. */
async function readOwner(path: string): Promise<RecordedOwner | null> {
  try {
    const owner = JSON.parse((await readPlainFile(path)).toString('utf8')) as Partial<RecordedOwner> | null
    if (!owner?.pid) return UNREADABLE
    const { pid, started = 'unknown', pidNamespace = null, heldIn = null } = owner
    return { pid, started, pidNamespace, heldIn }
  } catch (error) {
    if (isMissing(error)) return null
    if (error instanceof SyntaxError) return UNREADABLE
    throw error
  }
}
