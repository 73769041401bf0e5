/** Snappy, read only: what LevelDB compresses the blocks of its tables with. */
import { ByteReader } from './byte-reader.ts'

/** LevelDB cuts blocks at 4 KB, but one record is never cut: this is far beyond the largest that is taken. */
const LARGEST_BLOCK = 256 * 1024 * 1024
/** No input makes more output than this, byte for byte: a copy of 64 bytes takes two. */
const LARGEST_EXPANSION = 64

export interface Decompressed {
  readonly bytes: Buffer
  /** Whether the input was well-formed to its end. If not, `bytes` is what came out until then. */
  readonly whole: boolean
}

export function decompress(input: Buffer): Decompressed {
  const reader = new ByteReader(input)
  let output: Buffer = Buffer.alloc(0)
  let written = 0
  try {
    const length = reader.varint()
    if (length > LARGEST_BLOCK || length > input.length * LARGEST_EXPANSION) {
      return { bytes: output, whole: false }
    }
    output = Buffer.alloc(length)
    while (!reader.atEnd) {
      const tag = reader.slice(1)[0] ?? 0
      const end = (tag & 3) === 0 ? literal(reader, tag, output, written) : copy(reader, tag, output, written)
      if (end === null) return { bytes: output.subarray(0, written), whole: false }
      written = end
    }
    return { bytes: output.subarray(0, written), whole: written === length }
  } catch {
    return { bytes: output.subarray(0, written), whole: false }
  }
}

/** Bytes as they are: up to 60 of them, or as many as the next one to four bytes say. */
function literal(reader: ByteReader, tag: number, output: Buffer, written: number): number | null {
  const short = tag >>> 2
  const length = (short < 60 ? short : little(reader.slice(short - 59))) + 1
  if (written + length > output.length) return null
  reader.slice(length).copy(output, written)
  return written + length
}

/** Bytes that have been written before. The copy may run into itself, which repeats a pattern. */
function copy(reader: ByteReader, tag: number, output: Buffer, written: number): number | null {
  const kind = tag & 3
  const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
  const back =
    kind === 1 ? ((tag >>> 5) << 8) | (reader.slice(1)[0] ?? 0) : little(reader.slice(kind === 2 ? 2 : 4))
  if (back === 0 || back > written || written + length > output.length) return null
  for (let at = written; at < written + length; at++) output[at] = output[at - back] as number
  return written + length
}

const little = (bytes: Buffer) => bytes.readUIntLE(0, bytes.length)
