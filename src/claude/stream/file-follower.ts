/** Reads a file while another process writes it, up to a limit of its size. */
import { watch } from 'node:fs'
import { type FileHandle, stat } from 'node:fs/promises'
import type { Clock } from '../../clock.ts'
import { outputTooLarge } from './line-splitter.ts'

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
