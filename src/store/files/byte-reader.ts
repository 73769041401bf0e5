/** Reads varints and slices from bytes in sequence. Reading past the end throws {@link MalformedBytes}. */

/** The bytes do not follow their format. */
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

  /** A number in groups of seven bits, lowest first. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = this.#bytes[this.offset++]
      if (byte === undefined) break
      // Not `<<`: offsets and sequence numbers go beyond 32 bits.
      value += (byte & 127) * 2 ** shift
      // LevelDB writes the shortest form, so a trailing zero group means a flipped bit.
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

  /** A slice preceded by its length. */
  prefixed(): Buffer {
    return this.slice(this.varint())
  }

  #checked(value: number): number {
    if (!Number.isSafeInteger(value)) throw new MalformedBytes('a number in it is too large')
    return value
  }
}
