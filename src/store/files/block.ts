/** A block of a table: entries with prefix-compressed keys. */
import { ByteReader, MalformedBytes } from './byte-reader.ts'
import { crc32c } from './crc32c.ts'
import { decompress } from './snappy.ts'

/** The bytes after each block: compression (1), checksum (4). */
export const BLOCK_TRAILER = 5

const PLAIN = 0
const SNAPPY = 1

export interface BlockContent {
  readonly bytes: Buffer
  /** What is wrong with the block; `bytes` then holds what could be recovered. */
  readonly problem: string | null
}

/** What is wrong with the block at an offset of a file; null if it is intact. */
export function blockProblem(file: Buffer, offset: number, size: number): string | null {
  const trailer = offset + size
  if (size < 0 || trailer + BLOCK_TRAILER > file.length) return 'it is truncated'
  // The checksum covers the compression byte as well.
  const matches = crc32c(file, offset, trailer + 1) === file.readUInt32LE(trailer + 1)
  return matches ? null : 'its checksum does not match'
}

/** Checks and decompresses a block as stored, with its trailer. */
export function blockContent(stored: Buffer): BlockContent {
  const size = stored.length - BLOCK_TRAILER
  const problem = blockProblem(stored, 0, size)
  if (size < 0) return { bytes: Buffer.alloc(0), problem }
  const compression = stored[size]
  const bytes = stored.subarray(0, size)
  if (compression === PLAIN) return { bytes, problem }
  const { bytes: decompressed, complete } = decompress(bytes)
  if (compression === SNAPPY && complete) return { bytes: decompressed, problem }
  return { bytes: decompressed, problem: problem ?? 'it cannot be decompressed' }
}

export interface BlockEntry {
  readonly key: Buffer
  readonly value: Buffer
}

/** The entries up to the first malformed one, if any: `intact` is then false. */
export function blockEntries(bytes: Buffer): { readonly entries: BlockEntry[]; readonly intact: boolean } {
  const entries: BlockEntry[] = []
  if (bytes.length < 4) return { entries, intact: false }
  const restarts = bytes.readUInt32LE(bytes.length - 4)
  const end = bytes.length - 4 - restarts * 4
  // If the count of restarts is damaged, the entries may still be intact: read until one is malformed.
  const intact = end >= 0 && restarts > 0
  const reader = new ByteReader(bytes.subarray(0, intact ? end : bytes.length))
  let key: Buffer = Buffer.alloc(0)
  try {
    while (!reader.atEnd) {
      const [shared, unshared, length] = [reader.varint(), reader.varint(), reader.varint()]
      if (shared > key.length) throw new MalformedBytes('a key in it is incomplete')
      const rest = reader.slice(unshared)
      key = shared === 0 ? rest : Buffer.concat([key.subarray(0, shared), rest])
      entries.push({ key, value: reader.slice(length) })
    }
  } catch {
    return { entries, intact: false }
  }
  return { entries, intact }
}
