/**
 * The files in the agent's home that a call's process writes to: created for it, read while it writes, and tidied.
 *
 * Not pipes: 2.1.197 exits before it has written all of a long answer if a pipe is read too slowly (measured: 3 to 5
 * of 8.6 MB arrived), a leftover tool keeps a pipe open, and whatever a call prints after we are killed would be
 * lost. A file can be read by our next process.
 */
import { randomFillSync } from 'node:crypto'
import { constants, watch } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { isDiskFull } from '../../events/errors/phrases.ts'
import type { Redact } from '../../events/secrets/redaction.ts'
import { openAgentFile } from '../../workspaces/agent-file.ts'
import { removeFrom } from '../../workspaces/lifecycle.ts'
import { outputTooLarge } from '../stream/line-splitter.ts'

export interface OutputFiles {
  readonly stdout: string
  readonly stderr: string
}

const CALLS = 'calls'

export function outputFiles(home: string, callId: string): OutputFiles {
  // Call ids are ours, but they are read from a log: no id may lead out of the directory.
  const name = join(home, CALLS, callId.replace(/[^\w-]/g, '_'))
  return { stdout: `${name}.stdout`, stderr: `${name}.stderr` }
}

/** The files of a process: `stdout` and `stderr` are closed once it has them. */
export interface OpenOutput {
  readonly stdout: FileHandle
  readonly stderr: FileHandle
  /**
   * For reading stdout, to be closed by the reader: the file that the process writes, whatever an agent later puts in
   * its place.
   */
  readonly printed: FileHandle
}

/**
 * Creates both files for a process to write to, and deletes those of the agent's earlier calls. An agent runs one
 * call at a time, so those are settled.
 */
export async function openOutput(home: string, files: OutputFiles): Promise<OpenOutput> {
  // What cannot be removed does no harm: each call has names of its own.
  await removeFrom(home, CALLS).catch(() => {})
  await mkdir(join(home, CALLS), { recursive: true, mode: 0o700 })
  const stdout = await open(files.stdout, 'wx', 0o600)
  const opened = [stdout]
  try {
    await claimRoom(stdout)
    const stderr = await open(files.stderr, 'wx', 0o600)
    opened.push(stderr)
    const printed = await open(files.stdout, constants.O_RDONLY | constants.O_NOFOLLOW)
    return { stdout, stderr, printed }
  } catch (error) {
    await Promise.all(opened.map((file) => file.close()))
    // Tried again, they must not be there.
    await Promise.all([files.stdout, files.stderr].map((path) => rm(path, { force: true })))
    throw error
  }
}

/** In bytes: less than a call writes. It is written as so many copies of one block. */
const ROOM = 2 ** 20
const BLOCK = 2 ** 16

/**
 * Throws as a full disk does, if it is one. Found out by writing: what the system says of free space leaves out quotas, and
 * what is reserved for others. The file stays as it is.
 */
async function claimRoom(file: FileHandle): Promise<void> {
  const { size } = await file.stat()
  // A file system that compresses would find room for zeros.
  const block = randomFillSync(Buffer.allocUnsafe(BLOCK))
  const blocks = Array<Buffer>(ROOM / BLOCK).fill(block)
  try {
    // A disk that fills up takes a part of it first.
    for (let written = 0; written < ROOM; )
      written += (await file.writev(blocks, size + written)).bytesWritten
  } finally {
    await file.truncate(size)
  }
}

/** Whether what a call prints has no room any more. */
export async function hasNoRoom({ stderr }: OutputFiles): Promise<boolean> {
  const path = `${stderr}.room`
  try {
    await using file = await open(path, 'wx', 0o600)
    await claimRoom(file)
    return false
  } catch (error) {
    return isDiskFull(error)
  } finally {
    await removeFile(path).catch(() => {})
  }
}

export interface FileFollowOptions {
  readonly clock: Clock
  /**
   * Receives what was written, in order. The bytes are valid until it returns. If it throws, following ends with that
   * error.
   */
  readonly onChunk: (chunk: Uint8Array) => void
  /** Aborts when no more will be written: the rest is then read, and following ends. */
  readonly complete: AbortSignal
  /** How many bytes the file may have, even if it is written faster than it is read. Beyond it, an OutputTooLargeError. */
  readonly largest?: number
}

const CHUNK = 256 * 1024

/** The system reports changes; on file systems that do not (some network and container ones), we poll. */
const POLL_EVERY_MS = 250

/** A file that is open, and its path, which is only watched for changes. */
export interface FollowedFile {
  readonly file: FileHandle
  readonly path: string
}

/** Follows the file from its start. Resolves when the file is complete and has been read to its end. */
export async function followFile(
  { file, path }: FollowedFile,
  { clock, onChunk, complete, largest = Number.POSITIVE_INFINITY }: FileFollowOptions,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK)
  let hasChanged = false
  let changed = () => {}
  const wake = () => {
    hasChanged = true
    changed()
  }
  const unwatch = watchFile(path, wake)
  complete.addEventListener('abort', wake)
  try {
    for (let position = 0; ; ) {
      // Checked before the read: what is written in between is found by one more read.
      const isComplete = complete.aborted
      hasChanged = false
      const { bytesRead } = await file.read(buffer, 0, CHUNK, position)
      position += bytesRead
      const isBehind = bytesRead === CHUNK
      if ((isBehind ? (await file.stat()).size : position) > largest)
        throw outputTooLarge('the output', largest)
      if (bytesRead > 0) onChunk(buffer.subarray(0, bytesRead))
      else if (isComplete) return
      else if (!hasChanged) {
        let cancel = () => {}
        await new Promise<void>((resolve) => {
          changed = resolve
          cancel = clock.after(POLL_EVERY_MS, resolve)
        })
        cancel()
      }
    }
  } finally {
    complete.removeEventListener('abort', wake)
    unwatch()
  }
}

/** Calls `exceeded` once a file that is not read is larger than `bytes`. Returns what ends that. */
export function limitSize(path: string, bytes: number, exceeded: () => void): () => void {
  let isChecking = false
  return watchFile(path, () => {
    if (isChecking) return
    isChecking = true
    stat(path)
      .then(({ size }) => size > bytes && exceeded())
      // The file is gone, so it grows no more.
      .catch(() => {})
      .finally(() => {
        isChecking = false
      })
  })
}

/** A system that cannot watch, or has run out of watches, is no reason to fail. */
function watchFile(path: string, changed: () => void): () => void {
  try {
    const watcher = watch(path, { persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return () => {}
  }
}

const TAIL = 16 * 1024
const HEAD = 64 * 1024

/** The tail of stderr; empty if it cannot be read. */
export const readStderr = async (files: OutputFiles): Promise<string> => (await readTail(files)).text

async function readTail({ stderr }: OutputFiles): Promise<Part> {
  const tail = await readPart(stderr, TAIL, 'end')
  if (tail.isAll) return tail
  // Drop the first, partial line: half a key would not be recognized and redacted.
  const line = tail.text.indexOf('\n')
  return { ...tail, text: tail.text.slice(line === -1 ? TAIL / 4 : line + 1) }
}

/** When the process last printed anything, in ms since the epoch; undefined if its output is gone. */
export async function lastOutputAt({ stdout }: OutputFiles): Promise<number | undefined> {
  await using file = await openAgentFile(stdout, Number.POSITIVE_INFINITY)
  return (await file?.stat())?.mtimeMs
}

/**
 * Prepares the output to be kept until the next call: the redacted tail of stderr, and only the head of a stdout that
 * was too large, which still shows whether a request was sent.
 */
export async function tidyOutput(
  files: OutputFiles,
  { redact, isTooLarge }: { readonly redact: Redact; readonly isTooLarge: boolean },
): Promise<void> {
  const { text, isAll } = await readTail(files)
  const kept = redact(text)
  if (!isAll || kept !== text) await replace(files.stderr, kept)
  if (isTooLarge) await replace(files.stdout, (await readPart(files.stdout, HEAD, 'beginning')).text)
}

interface Part {
  readonly text: string
  /** Whether this is all of the file. */
  readonly isAll: boolean
}

/** Empty if it cannot be read. */
async function readPart(path: string, length: number, which: 'beginning' | 'end'): Promise<Part> {
  try {
    const file = await openAgentFile(path, Number.POSITIVE_INFINITY)
    if (file === null) return NO_PART
    try {
      const { size } = await file.stat()
      const position = which === 'end' ? Math.max(0, size - length) : 0
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, length)), { position })
      return { text: buffer.toString('utf8', 0, bytesRead), isAll: bytesRead === size }
    } finally {
      await file.close()
    }
  } catch {
    return NO_PART
  }
}

const NO_PART: Part = { text: '', isAll: false }

/** Writes a new file over it: the current one may be a link that a tool planted. */
async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.tidy`
  try {
    await removeFile(draft)
    await writeFile(draft, text, { mode: 0o600, flag: 'wx' })
    await rename(draft, path)
  } catch {
    // Better to keep nothing than something that must not be kept.
    await Promise.allSettled([removeFile(path), removeFile(draft)])
  }
}

/** Whatever an agent has put in its place. */
const removeFile = (path: string) => removeFrom(dirname(path), basename(path))
