/** Opens files that an agent can write: without waiting for anybody, without following a link, regular files only. */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { isLack, withDescriptors } from './descriptors.ts'

/** O_NONBLOCK: a pipe in place of the file would hold one of the few threads that open files, for ever. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY
const APPEND =
  constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOFOLLOW | constants.O_NOCTTY

/** For reading; null if it is missing, cannot be read, or is anything but a regular file of at most `largest` bytes. */
export const openAgentFile = (path: string, largest: number): Promise<FileHandle | null> =>
  openRegular(path, READ, largest)

/** For appending; null like {@link openAgentFile}. */
export const openForAppending = (path: string, largest: number): Promise<FileHandle | null> =>
  openRegular(path, APPEND, largest)

async function openRegular(path: string, flags: number, largest: number): Promise<FileHandle | null> {
  let file: FileHandle
  try {
    file = await withDescriptors(() => open(path, flags))
  } catch (error) {
    if (isLack(error)) throw error
    // Whatever else is wrong is the agent's doing: the file counts as lost.
    return null
  }
  const stats = await file.stat().catch(() => null)
  if (stats?.isFile() && stats.size <= largest) return file
  await file.close()
  return null
}

/** The text of a file; null like {@link openAgentFile}. */
export async function readAgentFile(path: string, largest: number): Promise<string | null> {
  const chunks: Buffer[] = []
  const wasRead = await eachChunk(path, largest, (chunk) => void chunks.push(Buffer.from(chunk)))
  return wasRead ? Buffer.concat(chunks).toString('utf8') : null
}

const CHUNK = 256 * 1024

/**
 * Reads a file in pieces, which are valid until `onChunk` has ended. Whether it could be read: false like the null of
 * {@link openAgentFile}. No more than `largest` bytes are read, even if it grows meanwhile.
 */
export async function eachChunk(
  path: string,
  largest: number,
  onChunk: (chunk: Uint8Array) => void | Promise<void>,
): Promise<boolean> {
  const file = await openAgentFile(path, largest)
  if (file === null) return false
  try {
    const buffer = Buffer.allocUnsafe(CHUNK)
    for (let read = 0; read < largest; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, largest - read), null)
      if (bytesRead === 0) break
      await onChunk(buffer.subarray(0, bytesRead))
      read += bytesRead
    }
    return true
  } finally {
    await file.close()
  }
}
