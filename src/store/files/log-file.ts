/**
 * LevelDB's log format (its `.log` files and its MANIFEST): records cut into pieces that fill blocks of 32 KB, each with
 * a checksum. LevelDB itself leaves out what does not check, and whatever is in the same block behind it, and goes on.
 */
import { CRC_START, crc32c, extendCrc, maskedCrc } from './crc32c.ts'

const BLOCK = 32_768
/** Checksum (4), length (2), kind (1). */
const HEADER = 7

const FULL = 1
const FIRST = 2
const MIDDLE = 3
const LAST = 4

export interface LogFileRecord {
  readonly offset: number
  readonly payload: Buffer
  /** False when a checksum in it does not match: there may be something in it nevertheless. */
  readonly intact: boolean
}

export interface LogFileDamage {
  readonly offset: number
  readonly problem: string
}

export interface LogFileScan {
  readonly records: readonly LogFileRecord[]
  readonly damage: readonly LogFileDamage[]
  /** Where a last record begins that was never written to its end, as when its writer was killed. */
  readonly tornAt: number | null
}

interface Piece {
  readonly kind: number
  readonly data: Buffer
  readonly end: number
}

export function scanLogFile(content: Buffer): LogFileScan {
  const scan = new Scan(content)
  let offset: number | null = 0
  while (offset !== null && offset < content.length) offset = scan.step(offset)
  return scan.finish()
}

class Scan {
  readonly records: LogFileRecord[] = []
  readonly damage: LogFileDamage[] = []
  readonly #content: Buffer
  #tornAt: number | null = null
  /** The record whose first piece has been seen, and not yet its last. */
  #begun: { readonly offset: number; readonly pieces: Buffer[]; intact: boolean } | null = null

  constructor(content: Buffer) {
    this.#content = content
  }

  /** Takes in what is at an offset, and says where to go on; null at the end. */
  step(offset: number): number | null {
    const left = BLOCK - (offset % BLOCK)
    if (left < HEADER) return this.#trailer(offset, Math.min(offset + left, this.#content.length))
    const piece = pieceAt(this.#content, offset)
    if (piece) {
      this.#take(offset, piece, true)
      return piece.end
    }
    if (this.#isTorn(offset)) {
      this.#tornAt = this.#begun?.offset ?? offset
      this.#begun = null
      return null
    }
    this.#report(offset, 'a checksum does not match')
    return this.#suspect(offset) ?? this.#resume(offset)
  }

  finish(): LogFileScan {
    if (this.#begun) this.#tornAt ??= this.#begun.offset
    return { records: this.records, damage: this.damage, tornAt: this.#tornAt }
  }

  /** What is left of a block where no header fits is zero. */
  #trailer(offset: number, end: number): number {
    if (!isZero(this.#content, offset, end)) this.#report(offset, 'the end of a block is not empty')
    return end
  }

  #take(offset: number, { kind, data }: Piece, intact: boolean): void {
    const begins = kind === FULL || kind === FIRST
    if (begins === (this.#begun !== null)) {
      this.#report(this.#begun?.offset ?? offset, 'a part of a record is missing')
    }
    if (begins || this.#begun === null) {
      this.#begun = { offset, pieces: [], intact: begins && intact }
    }
    this.#begun.pieces.push(data)
    if (!intact) this.#begun.intact = false
    if (kind === FIRST || kind === MIDDLE) return
    const { pieces, ...begun } = this.#begun
    this.#begun = null
    const [only] = pieces
    const payload = pieces.length === 1 && only ? only : Buffer.concat(pieces)
    this.records.push({ offset: begun.offset, payload, intact: begun.intact })
  }

  /**
   * Whether nothing but the beginning of a last record is there. A record whose length was damaged looks alike, but
   * then the rest of it is there as well, or whole records are behind it.
   */
  #isTorn(offset: number): boolean {
    const content = this.#content
    const end = content.length
    if (isZero(content, offset, end)) return true
    if (end - offset < HEADER) return true
    const length = content.readUInt16LE(offset + 4)
    const reachesBeyond = offset + HEADER + length > end
    const fitsBlock = (offset % BLOCK) + HEADER + length <= BLOCK
    return reachesBeyond && fitsBlock && !endsBefore(content, offset) && this.#nextPiece(offset + 1) === null
  }

  /** A damaged piece whose length leads to something sound: most of it may be what was written. */
  #suspect(offset: number): number | null {
    const content = this.#content
    if (content.length - offset < HEADER) return null
    const length = content.readUInt16LE(offset + 4)
    const end = offset + HEADER + length
    if (end > content.length || (offset % BLOCK) + HEADER + length > BLOCK || length === 0) return null
    const leads = end === content.length || BLOCK - (end % BLOCK) < HEADER || end % BLOCK === 0
    if (!leads && !pieceAt(content, end)) return null
    const stored = content[offset + 6] ?? 0
    const known = stored >= FULL && stored <= LAST
    const kind = known ? stored : this.#begun ? MIDDLE : FULL
    this.#take(offset, { kind, data: content.subarray(offset + HEADER, end), end }, false)
    return end
  }

  /** Where the next whole piece is. What was begun before it is over. */
  #resume(offset: number): number | null {
    this.#begun = null
    return this.#nextPiece(offset + 1)
  }

  #nextPiece(from: number): number | null {
    for (let offset = from; offset + HEADER < this.#content.length; offset++) {
      const kind = this.#content[offset + 6] ?? 0
      if (kind >= FULL && kind <= LAST && BLOCK - (offset % BLOCK) >= HEADER) {
        const piece = pieceAt(this.#content, offset)
        if (piece && piece.data.length > 0) return offset
      }
    }
    return null
  }

  #report(offset: number, problem: string): void {
    this.damage.push({ offset, problem })
  }
}

/** The piece at an offset, if it is whole. */
function pieceAt(content: Buffer, offset: number): Piece | null {
  if (content.length - offset < HEADER) return null
  const end = offset + HEADER + content.readUInt16LE(offset + 4)
  const kind = content[offset + 6] ?? 0
  if (end > content.length || end > offset - (offset % BLOCK) + BLOCK) return null
  if (kind < FULL || kind > LAST) return null
  if (crc32c(content, offset + 6, end) !== content.readUInt32LE(offset)) return null
  return { kind, data: content.subarray(offset + HEADER, end), end }
}

/** Whether the piece at an offset is whole with another length than its header says. */
function endsBefore(content: Buffer, offset: number): boolean {
  const stored = content.readUInt32LE(offset)
  let crc = extendCrc(CRC_START, content, offset + 6, offset + HEADER)
  for (let end = offset + HEADER; ; end++) {
    if (maskedCrc(crc) === stored) return true
    if (end >= content.length) return false
    crc = extendCrc(crc, content, end, end + 1)
  }
}

function isZero(content: Buffer, from: number, to: number): boolean {
  for (let offset = from; offset < to; offset++) if (content[offset] !== 0) return false
  return true
}
