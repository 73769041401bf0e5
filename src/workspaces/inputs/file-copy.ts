/** Copies the content of one regular file, hashing it on the way. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Directory, EntryName } from './directory.ts'
import type { InputAllowance } from './limits.ts'

/** What all copying for one task shares. */
export interface CopyContext {
  readonly allowance: InputAllowance
  readonly signal: AbortSignal
  /** Directories (by identity) that are never copied. */
  readonly exclude: ReadonlySet<string>
  /** The input to name in an error if it is too large. */
  readonly source: string
  /** Called at every point where another process could interfere. */
  readonly onStep: (step: PlacingStep) => void | Promise<void>
}

/** A point at which another process could swap or change something. */
export interface PlacingStep {
  readonly name: 'entry-seen' | 'content-read' | 'parent-opened'
  /** Relative to the folder being copied, or to the target. */
  readonly path: string
}

export interface CopiedFile {
  readonly sha256: string
  readonly bytes: number
  readonly executable: boolean
}

const CHUNK = 256 * 1024
const SMALLEST_CHUNK = 4096
const OWNER_MAY_RUN = 0o100

/** O_NONBLOCK: a pipe that replaced the file must not make us wait for its writer. */
export const READ_FILE = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

const WRITE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Of a file's mode, only the execute permission is kept. */
export const fileMode = (executable: boolean): number => (executable ? 0o700 : 0o600)

/** Copies from an open file into a new one. `path` is for messages and steps. */
export async function copyContent(
  from: FileHandle,
  into: Directory,
  name: EntryName,
  path: string,
  { allowance, signal, source, onStep }: CopyContext,
): Promise<CopiedFile> {
  allowance.takeFile(source)
  const { mode, size } = await from.stat()
  const executable = (mode & OWNER_MAY_RUN) !== 0
  await using to = await open(into.at(name), WRITE_NEW, fileMode(executable))
  await to.chmod(fileMode(executable))
  const hash = createHash('sha256')
  // One byte more than the size, so that a small file takes one read.
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(SMALLEST_CHUNK, size + 1)))
  let bytes = 0
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead } = await from.read(buffer, 0, buffer.length, null)
    if (bytesRead === 0) break
    // Checked before writing: a file that grows while it is read must not fill the disk.
    allowance.takeBytes(bytesRead, source)
    const chunk = buffer.subarray(0, bytesRead)
    hash.update(chunk)
    await writeAll(to, chunk)
    bytes += bytesRead
    await onStep({ name: 'content-read', path })
  }
  return { sha256: hash.digest('hex'), bytes, executable }
}

export async function writeAll(to: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    written += (await to.write(chunk, written)).bytesWritten
  }
}

/** Writes a new private file. */
export async function writeNewFile(into: Directory, name: string, text: string): Promise<void> {
  await using to = await open(into.at(name), WRITE_NEW, fileMode(false))
  await writeAll(to, Buffer.from(text))
}
