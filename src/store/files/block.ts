/** One block of a table: entries whose keys leave out what they share with the key before. */
import { ByteReader, MalformedBytes } from './byte-reader.ts'
import { crc32c } from './crc32c.ts'
import { decompress } from './snappy.ts'

/** After each block: how it is compressed (1), and its checksum (4). */
export const BLOCK_TRAILER = 5

const PLAIN = 0
const SNAPPY = 1

export interface BlockContent {
  readonly bytes: Buffer
  /** What is wrong with it; `bytes` is then what could be made of it. */
  readonly problem: string | null
}

/** What is wrong with the block at a place in a file. */
export function blockProblem(file: Buffer, offset: number, size: number): string | null {
  const trailer = offset + size
  if (size < 0 || trailer + BLOCK_TRAILER > file.length) return 'it is truncated'
  // How it is compressed is under the checksum as well.
  const matches = crc32c(file, offset, trailer + 1) === file.readUInt32LE(trailer + 1)
  return matches ? null : 'its checksum does not match'
}

/** A block as the file holds it, with its trailer: checked and decompressed. */
export function blockContent(stored: Buffer): BlockContent {
  const size = stored.length - BLOCK_TRAILER
  const problem = blockProblem(stored, 0, size)
  if (size < 0) return { bytes: Buffer.alloc(0), problem }
  const compression = stored[size]
  const bytes = stored.subarray(0, size)
  if (compression === PLAIN) return { bytes, problem }
  const { bytes: decompressed, whole } = decompress(bytes)
  if (compression === SNAPPY && whole) return { bytes: decompressed, problem }
  return { bytes: decompressed, problem: problem ?? 'it cannot be decompressed' }
}

export interface BlockEntry {
  readonly key: Buffer
  readonly value: Buffer
}

/** The entries up to the first that makes no sense. `intact` is false when there is such a one. */
export function blockEntries(bytes: Buffer): { readonly entries: BlockEntry[]; readonly intact: boolean } {
  const entries: BlockEntry[] = []
  if (bytes.length < 4) return { entries, intact: false }
  const restarts = bytes.readUInt32LE(bytes.length - 4)
  const end = bytes.length - 4 - restarts * 4
  // Where the count is damaged the entries may be sound all the same: they end where they stop making sense.
  const intact = end >= 0 && restarts > 0
  const reader = new ByteReader(bytes.subarray(0, intact ? end : bytes.length))
  let key = Buffer.alloc(0)
  try {
    while (!reader.atEnd) {
      const [shared, rest, length] = [reader.varint(), reader.varint(), reader.varint()]
      if (shared > key.length) throw new MalformedBytes('a key in it is incomplete')
      key = Buffer.concat([key.subarray(0, shared), reader.slice(rest)])
      entries.push({ key, value: reader.slice(length) })
    }
  } catch {
    return { entries, intact: false }
  }
  return { entries, intact }
}
