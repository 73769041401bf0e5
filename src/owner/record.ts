/** The file `owner.json` in a base directory: which process has the store open, and how to reach it. */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OwnerRecordRefused } from '../events/errors/owner.ts'
import { FILE_MODE } from '../store/directory.ts'
import type { HostProcess } from '../store/process-identity.ts'

export interface OwnerRecord extends HostProcess {
  /** The version of the protocol on its socket. */
  readonly protocol: number
  readonly storeId: string
  readonly socket: string
  /** What answers its calls: see `AgentRunner.name`. */
  readonly runner?: string
}

export const ownerFile = (baseDir: string) => join(baseDir, 'owner.json')

const LARGEST_RECORD = 4096

/** Replaces the record. Not synced: a record need not survive a crash of the system that its process does not survive. */
export async function writeOwnerRecord(baseDir: string, record: OwnerRecord): Promise<void> {
  const unfinished = `${ownerFile(baseDir)}.${randomUUID()}.unfinished`
  try {
    await writeFile(unfinished, `${JSON.stringify(record)}\n`, { mode: FILE_MODE, flag: 'wx' })
    await rename(unfinished, ownerFile(baseDir))
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

/** Removes the record. Only the process that holds the store's lock may call this. */
export async function removeOwnerRecord(baseDir: string): Promise<void> {
  await rm(ownerFile(baseDir), { force: true })
}

/**
 * The record of a base directory; null if there is none. Follows no link, and trusts no file of another user.
 *
 * @throws OwnerRecordRefused
 */
export async function readOwnerRecord(baseDir: string): Promise<OwnerRecord | null> {
  const file = ownerFile(baseDir)
  const refused = (problem: string) => new OwnerRecordRefused({ file, problem })
  const text = await readPrivateFile(file, refused)
  if (text === null) return null
  const record = parsed(text)
  if (record === null) throw refused('it does not have the form of an owner record')
  return record
}

async function readPrivateFile(
  file: string,
  refused: (problem: string) => OwnerRecordRefused,
): Promise<string | null> {
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  const handle = await open(file, flags).catch((error: NodeJS.ErrnoException) => {
    // Whether the base directory is one, opening the store tells better.
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    throw refused(error.code === 'ELOOP' ? 'it is a symbolic link' : `it cannot be read (${error.message})`)
  })
  if (handle === null) return null
  try {
    const found = await handle.stat()
    if (!found.isFile()) throw refused('it is not a file')
    if (process.getuid && found.uid !== process.getuid()) throw refused('it belongs to another user')
    if (process.getuid && (found.mode & 0o077) !== 0) throw refused('other users have access to it')
    if (found.size > LARGEST_RECORD) throw refused('it is too large')
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** Only the fields of the record: another version of the protocol may write more. */
function parsed(text: string): OwnerRecord | null {
  let record: Partial<OwnerRecord> | null
  try {
    record = JSON.parse(text) as Partial<OwnerRecord> | null
  } catch {
    return null
  }
  const {
    protocol,
    pid,
    started = null,
    pidNamespace = null,
    storeId = '',
    socket = '',
    runner,
  } = record ?? {}
  const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0
  if (!isWhole(protocol) || !isWhole(pid)) return null
  if (typeof storeId !== 'string' || typeof socket !== 'string') return null
  if (started !== null && typeof started !== 'string') return null
  if (pidNamespace !== null && typeof pidNamespace !== 'string') return null
  if (runner !== undefined && typeof runner !== 'string') return null
  return {
    protocol,
    pid,
    started,
    pidNamespace,
    storeId,
    socket,
    ...(runner === undefined ? {} : { runner }),
  }
}
