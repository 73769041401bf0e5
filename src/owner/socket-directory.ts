/** The directory of owners' sockets: private to this user, with a path short enough for a socket. */
import { randomBytes } from 'node:crypto'
import { lstatSync, type Stats } from 'node:fs'
import { lstat, mkdir, mkdtemp, readdir, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { isListening } from '../store/level/kernel-hold.ts'
import { livenessOf } from '../store/process-identity.ts'

/** In bytes. The kernel takes 107 on Linux and 103 on macOS. */
const LONGEST_PATH = 100

/** Begins the name of a directory that one owner alone uses. */
const UNSHARED = 'claude-agents-own-'
const DIRECTORY = /^claude-agents(-\d+|-own-[A-Za-z0-9]{6})?$/
const SOCKET = /^([1-9]\d{0,9})-[0-9a-f]{16}\.sock$/

const user = () => process.getuid?.() ?? -1

/** A path for a new socket, in a directory that exists and that no other user can read. */
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
    if (await makePrivateDirectory(directory)) return join(directory, name)
  // Another user has taken these names: use one that cannot be guessed.
  const base = fits(join(tmpdir(), `${UNSHARED}123456`)) ? tmpdir() : '/tmp'
  return join(await mkdtemp(join(base, UNSHARED)), name)
}

/** Whether the directory now exists and is private to this user. */
async function makePrivateDirectory(directory: string): Promise<boolean> {
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
 * Why a path cannot be the socket of an owner of this user; null if it can, `'missing'` if it no longer exists. Follows
 * no link.
 */
export function socketProblem(path: string, pid: number): string | null {
  const name = basename(path)
  const directory = dirname(path)
  const foreign = 'its socket path cannot be that of an owner'
  if (!isAbsolute(path) || Buffer.byteLength(path) > LONGEST_PATH || join(directory, name) !== path)
    return foreign
  if (SOCKET.exec(name)?.[1] !== String(pid) || !DIRECTORY.test(basename(directory))) return foreign
  try {
    if (!isPrivateDirectory(lstatSync(directory)))
      return 'the directory of its socket is not private to this user'
    const socket = lstatSync(path)
    if (!socket.isSocket()) return 'the file at its socket path is not a socket'
    return socket.uid === user() ? null : 'its socket belongs to another user'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    return `its socket cannot be checked (${(error as Error).message})`
  }
}

/** Removes a socket, and its directory if no other owner uses it. */
export async function removeSocket(path: string): Promise<void> {
  await rm(path, { force: true })
  const directory = dirname(path)
  if (basename(directory).startsWith(UNSHARED)) await rmdir(directory).catch(() => {})
}

/** Removes the sockets that killed owners left behind in a directory. */
export async function sweepSockets(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = SOCKET.exec(name)?.[1]
    // The pid of an owner in another container means nothing here.
    if (pid === undefined || isRunning(Number(pid)) || (await isListening(join(directory, name)))) continue
    await rm(join(directory, name), { force: true })
  }
}

const isRunning = (pid: number) => livenessOf({ pid, started: null, pidNamespace: null }) === 'alive'
