/** CRC-32C as LevelDB stores it, masked: over each block of a table and each fragment of a log record. */

const POLYNOMIAL = 0x82f63b78

/** Slicing-by-8: eight tables process eight bytes at a time, because opening a store waits for this. */
const TABLES = makeTables()

function makeTables(): Int32Array[] {
  const first = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
    first[byte] = crc
  }
  const tables = [first]
  for (let table = 1; table < 8; table++) {
    const before = tables[table - 1] as Int32Array
    tables.push(before.map((crc) => (crc >>> 8) ^ at(first, crc & 255)))
  }
  return tables
}

function at(table: Int32Array | Uint8Array, index: number): number {
  return table[index] as number
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
]

/** The checksum of no bytes. Continue with {@link extendCrc}, finish with {@link maskedCrc}. */
export const CRC_START = -1

/** Extends a checksum by the bytes from `from` up to, but not including, `to`. */
export function extendCrc(before: number, bytes: Uint8Array, from: number, to: number): number {
  let crc = before
  let offset = from
  for (; offset + 8 <= to; offset += 8) {
    const low =
      crc ^
      (at(bytes, offset) |
        (at(bytes, offset + 1) << 8) |
        (at(bytes, offset + 2) << 16) |
        (at(bytes, offset + 3) << 24))
    crc =
      at(T7, low & 255) ^
      at(T6, (low >>> 8) & 255) ^
      at(T5, (low >>> 16) & 255) ^
      at(T4, low >>> 24) ^
      at(T3, at(bytes, offset + 4)) ^
      at(T2, at(bytes, offset + 5)) ^
      at(T1, at(bytes, offset + 6)) ^
      at(T0, at(bytes, offset + 7))
  }
  for (; offset < to; offset++) crc = (crc >>> 8) ^ at(T0, (crc ^ at(bytes, offset)) & 255)
  return crc
}

/** A checksum as LevelDB stores it: rotated and offset, so that data may contain checksums of its own. */
export function maskedCrc(crc: number): number {
  const final = ~crc >>> 0
  return (((final >>> 15) | (final << 17)) + 0xa282ead8) >>> 0
}

/** The masked checksum of a range of bytes. */
export const crc32c = (bytes: Uint8Array, from: number, to: number) =>
  maskedCrc(extendCrc(CRC_START, bytes, from, to))
