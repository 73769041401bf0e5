/** Copies the content of one ordinary file, and hashes it on the way. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Directory } from './directory.ts'
import type { InputAllowance } from './input-limits.ts'

/** What all copying for a task shares. */
export interface Copying {
  readonly budget: InputAllowance
  readonly signal: AbortSignal
  /** Directories (by identity) that no folder brings along. */
  readonly leaveOut: ReadonlySet<string>
  /** What is named in an error when it is too large. */
  readonly source: string
  /** Called where somebody else could change something meanwhile. */
  readonly onStep: (step: PlacingStep) => void | Promise<void>
}

/** A moment at which somebody else could swap or change something. */
export interface PlacingStep {
  readonly name: 'entry-seen' | 'content-read' | 'parent-opened'
  /** Relative to the folder that is copied, or the target. */
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

/** O_NONBLOCK: a pipe that took the place of a file must not make us wait for its writer. */
export const READ_FILE = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

const WRITE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** Only the right to run it is kept of a file's mode. */
export const fileMode = (executable: boolean): number => (executable ? 0o700 : 0o600)

/** Copies from an open file into a new one. `path` is for messages and steps. */
export async function copyContent(
  from: FileHandle,
  into: Directory,
  name: string,
  path: string,
  { budget, signal, source, onStep }: Copying,
): Promise<CopiedFile> {
  budget.takeFile(source)
  const { mode, size } = await from.stat()
  const executable = (mode & OWNER_MAY_RUN) !== 0
  await using to = await open(into.at(name), WRITE_NEW, fileMode(executable))
  await to.chmod(fileMode(executable))
  const hash = createHash('sha256')
  // One more than its size, so that a small file is read at once.
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(SMALLEST_CHUNK, size + 1)))
  let bytes = 0
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead } = await from.read(buffer, 0, buffer.length, null)
    if (bytesRead === 0) break
    // Before it is written: a file that grows while it is read must not fill the disk.
    budget.takeBytes(bytesRead, source)
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
