/** Where the sockets of owners lie: in a directory of this user alone, under a path that is short enough for a socket. */
import { randomBytes } from 'node:crypto'
import { lstatSync, type Stats } from 'node:fs'
import { lstat, mkdir, mkdtemp, readdir, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { isListening } from '../store/level/kernel-hold.ts'
import { livenessOf } from '../store/process-identity.ts'

/** The kernel takes 107 bytes on Linux and 103 on macOS. */
const LONGEST_PATH = 100

/** One that nobody else uses. */
const OWN = 'claude-agents-own-'
const DIRECTORY = /^claude-agents(-\d+|-own-[A-Za-z0-9]{6})?$/
const SOCKET = /^([1-9]\d{0,9})-[0-9a-f]{16}\.sock$/

const user = () => process.getuid?.() ?? -1

/** A path for a new socket. Its directory is there, and nobody else can look into it. */
export async function newSocketPath(): Promise<string> {
  const name = `${process.pid}-${randomBytes(8).toString('hex')}.sock`
  const fits = (directory: string) => Buffer.byteLength(join(directory, name)) <= LONGEST_PATH
  const { XDG_RUNTIME_DIR: runtime } = process.env
  const shared = [
    ...(runtime !== undefined && isAbsolute(runtime) ? [join(runtime, 'claude-agents')] : []),
    join(tmpdir(), `claude-agents-${user()}`),
    join('/tmp', `claude-agents-${user()}`),
  ]
  for (const directory of shared.filter(fits))
    if (await isOwnDirectory(directory)) return join(directory, name)
  // Somebody else has put something there: one that nobody could foresee.
  const base = fits(join(tmpdir(), `${OWN}123456`)) ? tmpdir() : '/tmp'
  return join(await mkdtemp(join(base, OWN)), name)
}

async function isOwnDirectory(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false
  }
  try {
    return isPrivateDirectory(await lstat(directory))
  } catch {
    return false
  }
}

const isPrivateDirectory = (found: Stats) =>
  found.isDirectory() && found.uid === user() && (found.mode & 0o077) === 0

/**
 * Why a path is not that of a socket that an owner of this user has made; null when it is one, `'missing'` when nothing
 * is there any more. Follows no link.
 */
export function problemOfSocket(path: string, pid: number): string | null {
  const name = basename(path)
  const directory = dirname(path)
  if (!isAbsolute(path) || Buffer.byteLength(path) > LONGEST_PATH || join(directory, name) !== path)
    return 'it names a path that no socket of an owner has'
  if (SOCKET.exec(name)?.[1] !== String(pid) || !DIRECTORY.test(basename(directory)))
    return 'it names a path that no socket of an owner has'
  try {
    if (!isPrivateDirectory(lstatSync(directory)))
      return 'the directory of its socket is not private to this user'
    const socket = lstatSync(path)
    if (!socket.isSocket()) return 'what it names is not a socket'
    return socket.uid === user() ? null : 'its socket is of another user'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    return `its socket cannot be looked at (${(error as Error).message})`
  }
}

/** Takes a socket away, and its directory where that is not shared with other owners. */
export async function removeSocket(path: string): Promise<void> {
  await rm(path, { force: true })
  const directory = dirname(path)
  if (basename(directory).startsWith(OWN)) await rmdir(directory).catch(() => {})
}

/** Takes away what owners that were killed have left in the directory of a socket. */
export async function sweepSockets(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = SOCKET.exec(name)?.[1]
    // The pid of an owner in another container means nothing here.
    if (pid === undefined || isRunning(Number(pid)) || (await isListening(join(directory, name)))) continue
    await rm(join(directory, name), { force: true })
  }
}

const isRunning = (pid: number) => livenessOf({ pid, started: null, pidNamespace: null }) === 'alive'
