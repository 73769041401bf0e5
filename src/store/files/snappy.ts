/** A decompressor for Snappy, with which LevelDB compresses the blocks of its tables. */
import { ByteReader } from './byte-reader.ts'

/** LevelDB cuts blocks at 4 KB but never splits a record: this is far above the largest accepted record. */
const LARGEST_BLOCK = 256 * 1024 * 1024
/** The most output bytes per input byte: a copy of 64 bytes takes two or three. */
const LARGEST_EXPANSION = 64

export interface Decompressed {
  readonly bytes: Buffer
  /** Whether the input was well-formed to its end. If not, `bytes` is the output up to the error. */
  readonly complete: boolean
}

export function decompress(input: Buffer): Decompressed {
  const reader = new ByteReader(input)
  let output: Buffer = Buffer.alloc(0)
  let written = 0
  try {
    const length = reader.varint()
    if (length > LARGEST_BLOCK || length > input.length * LARGEST_EXPANSION) {
      return { bytes: output, complete: false }
    }
    output = Buffer.alloc(length)
    while (!reader.atEnd) {
      const tag = reader.slice(1)[0] ?? 0
      const end = (tag & 3) === 0 ? literal(reader, tag, output, written) : copy(reader, tag, output, written)
      if (end === null) return { bytes: output.subarray(0, written), complete: false }
      written = end
    }
    return { bytes: output.subarray(0, written), complete: written === length }
  } catch {
    return { bytes: output.subarray(0, written), complete: false }
  }
}

/** Literal bytes: up to 60, or as many as the next one to four bytes say. */
function literal(reader: ByteReader, tag: number, output: Buffer, written: number): number | null {
  const short = tag >>> 2
  const length = (short < 60 ? short : littleEndian(reader.slice(short - 59))) + 1
  if (written + length > output.length) return null
  reader.slice(length).copy(output, written)
  return written + length
}

/** A copy of earlier output. It may overlap itself, which repeats a pattern. */
function copy(reader: ByteReader, tag: number, output: Buffer, written: number): number | null {
  const kind = tag & 3
  const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
  const distance =
    kind === 1
      ? ((tag >>> 5) << 8) | (reader.slice(1)[0] ?? 0)
      : littleEndian(reader.slice(kind === 2 ? 2 : 4))
  if (distance === 0 || distance > written || written + length > output.length) return null
  for (let at = written; at < written + length; at++) output[at] = output[at - distance] as number
  return written + length
}

const littleEndian = (bytes: Buffer) => bytes.readUIntLE(0, bytes.length)
