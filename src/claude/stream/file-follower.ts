/** Reads a file while another process writes it, and tells when it has grown too large. */
import { watch } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { type Clock, pause } from '../../clock.ts'

export interface FileFollowOptions {
  readonly clock: Clock
  /** Is given what was written, in order. What it throws ends the following. */
  readonly hear: (chunk: Uint8Array) => void
  /** Aborts when nothing more will be written: then the rest is read, and that is the end. */
  readonly complete: AbortSignal
}

const CHUNK = 256 * 1024

/** The system tells of changes; where it does not (some network and container file systems) we look ourselves. */
const LOOK_EVERY_MS = 250

/** Follows the file from its beginning. Resolves when it is complete and has been read to the end. */
export async function followFile(path: string, { clock, hear, complete }: FileFollowOptions): Promise<void> {
  await using file = await open(path)
  let change = new AbortController()
  using _watching = watchFile(path, () => change.abort())
  const finish = () => change.abort()
  complete.addEventListener('abort', finish)
  try {
    for (let position = 0; ; ) {
      // Asked before the read: what is written in between is found by one more.
      const isComplete = complete.aborted
      change = new AbortController()
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, position)
      position += bytesRead
      if (bytesRead > 0) hear(buffer.subarray(0, bytesRead))
      else if (isComplete) return
      else if (!complete.aborted) await pause(clock, LOOK_EVERY_MS, change.signal)
    }
  } finally {
    complete.removeEventListener('abort', finish)
  }
}

/** Calls `exceeded` when the file is larger than that: nobody may be reading it, or not as fast as it is written. */
export function limitSize(path: string, bytes: number, exceeded: () => void): Disposable {
  let isLooking = false
  return watchFile(path, () => {
    if (isLooking) return
    isLooking = true
    stat(path)
      .then(({ size }) => size > bytes && exceeded())
      // It is gone: then it grows no more.
      .catch(() => {})
      .finally(() => {
        isLooking = false
      })
  })
}

/** A system that cannot watch, or has no watches left, is no reason to fail. */
function watchFile(path: string, changed: () => void): Disposable {
  try {
    const watcher = watch(path, { persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return { [Symbol.dispose]: () => watcher.close() }
  } catch {
    return { [Symbol.dispose]: () => {} }
  }
}
