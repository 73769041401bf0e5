/** Numbers and slices out of bytes, one after the other. Reading past the end is an error of its own. */

/** The bytes are not what their format says. */
export class MalformedBytes extends Error {}

export class ByteReader {
  readonly #bytes: Buffer
  offset: number

  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes
    this.offset = offset
  }

  get atEnd(): boolean {
    return this.offset >= this.#bytes.length
  }

  /** A number in groups of seven bits, the lowest first. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = this.#bytes[this.offset++]
      if (byte === undefined) break
      // Not `<<`: offsets and sequence numbers go beyond 32 bits.
      value += (byte & 127) * 2 ** shift
      // The same number with a zero more is never written: a flipped bit makes one of a number before a zero.
      if (byte === 0 && shift > 0) throw new MalformedBytes('a number in it is not in its shortest form')
      if (byte < 128) return this.#checked(value)
    }
    throw new MalformedBytes('a number in it has no end')
  }

  slice(length: number): Buffer {
    const end = this.offset + length
    if (end > this.#bytes.length) throw new MalformedBytes('it ends too early')
    const slice = this.#bytes.subarray(this.offset, end)
    this.offset = end
    return slice
  }

  /** A slice after its length. */
  prefixed(): Buffer {
    return this.slice(this.varint())
  }

  #checked(value: number): number {
    if (!Number.isSafeInteger(value)) throw new MalformedBytes('a number in it is too large')
    return value
  }
}
