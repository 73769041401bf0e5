/**
 * LevelDB's log format (its `.log` files and its MANIFEST): records split into fragments that fill blocks of 32 KB, each
 * with a checksum. LevelDB itself silently skips a damaged fragment and the rest of its block.
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
  /** False if a checksum in it does not match: parts of the payload may still be usable. */
  readonly intact: boolean
}

export interface LogFileDamage {
  readonly offset: number
  readonly problem: string
}

export interface LogFileScan {
  readonly records: readonly LogFileRecord[]
  readonly damage: readonly LogFileDamage[]
  /** The offset of an incomplete last record, as a killed writer leaves it. */
  readonly tornAt: number | null
}

interface Fragment {
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
  /** The record whose first fragment was read, but not its last. */
  #partial: { readonly offset: number; readonly fragments: Buffer[]; intact: boolean } | null = null

  constructor(content: Buffer) {
    this.#content = content
  }

  /** Reads what is at an offset, and returns the next offset; null at the end. */
  step(offset: number): number | null {
    const left = BLOCK - (offset % BLOCK)
    if (left < HEADER) return this.#trailer(offset, Math.min(offset + left, this.#content.length))
    const fragment = fragmentAt(this.#content, offset)
    if (fragment) {
      this.#add(offset, fragment, true)
      return fragment.end
    }
    if (this.#isTorn(offset)) {
      this.#tornAt = this.#partial?.offset ?? offset
      this.#partial = null
      return null
    }
    this.#report(offset, 'a checksum does not match')
    return this.#addDamaged(offset) ?? this.#resync(offset)
  }

  finish(): LogFileScan {
    if (this.#partial) this.#tornAt ??= this.#partial.offset
    return { records: this.records, damage: this.damage, tornAt: this.#tornAt }
  }

  /** The end of a block, too short for a header, is zero. */
  #trailer(offset: number, end: number): number {
    if (!isZero(this.#content, offset, end)) this.#report(offset, 'the end of a block is not empty')
    return end
  }

  #add(offset: number, { kind, data }: Fragment, intact: boolean): void {
    const begins = kind === FULL || kind === FIRST
    if (begins === (this.#partial !== null)) {
      this.#report(this.#partial?.offset ?? offset, 'a part of a record is missing')
    }
    if (begins || this.#partial === null) {
      this.#partial = { offset, fragments: [], intact: begins && intact }
    }
    this.#partial.fragments.push(data)
    if (!intact) this.#partial.intact = false
    if (kind === FIRST || kind === MIDDLE) return
    const { fragments, ...record } = this.#partial
    this.#partial = null
    const [only] = fragments
    const payload = fragments.length === 1 && only ? only : Buffer.concat(fragments)
    this.records.push({ offset: record.offset, payload, intact: record.intact })
  }

  /**
   * Whether the file ends in an incomplete record. A record with a damaged length looks the same, except that the rest of
   * it is there, or intact records follow.
   */
  #isTorn(offset: number): boolean {
    const content = this.#content
    const end = content.length
    if (isZero(content, offset, end)) return true
    if (end - offset < HEADER) return true
    const length = content.readUInt16LE(offset + 4)
    const reachesBeyond = offset + HEADER + length > end
    const fitsBlock = (offset % BLOCK) + HEADER + length <= BLOCK
    return (
      reachesBeyond && fitsBlock && !endsBefore(content, offset) && this.#nextFragment(offset + 1) === null
    )
  }

  /** Adds a damaged fragment whose length leads to an intact one: most of its data may be correct. */
  #addDamaged(offset: number): number | null {
    const content = this.#content
    if (content.length - offset < HEADER) return null
    const length = content.readUInt16LE(offset + 4)
    const end = offset + HEADER + length
    if (end > content.length || (offset % BLOCK) + HEADER + length > BLOCK || length === 0) return null
    const leads = end === content.length || BLOCK - (end % BLOCK) < HEADER || end % BLOCK === 0
    if (!leads && !fragmentAt(content, end)) return null
    const stored = content[offset + 6] ?? 0
    const known = stored >= FULL && stored <= LAST
    const kind = known ? stored : this.#partial ? MIDDLE : FULL
    this.#add(offset, { kind, data: content.subarray(offset + HEADER, end), end }, false)
    return end
  }

  /** Drops the partial record, and returns the offset of the next intact fragment. */
  #resync(offset: number): number | null {
    this.#partial = null
    return this.#nextFragment(offset + 1)
  }

  #nextFragment(from: number): number | null {
    for (let offset = from; offset + HEADER < this.#content.length; offset++) {
      const kind = this.#content[offset + 6] ?? 0
      if (kind >= FULL && kind <= LAST && BLOCK - (offset % BLOCK) >= HEADER) {
        const fragment = fragmentAt(this.#content, offset)
        if (fragment && fragment.data.length > 0) return offset
      }
    }
    return null
  }

  #report(offset: number, problem: string): void {
    this.damage.push({ offset, problem })
  }
}

/** The fragment at an offset; null if it is not intact. */
function fragmentAt(content: Buffer, offset: number): Fragment | null {
  if (content.length - offset < HEADER) return null
  const end = offset + HEADER + content.readUInt16LE(offset + 4)
  const kind = content[offset + 6] ?? 0
  if (end > content.length || end > offset - (offset % BLOCK) + BLOCK) return null
  if (kind < FULL || kind > LAST) return null
  if (crc32c(content, offset + 6, end) !== content.readUInt32LE(offset)) return null
  return { kind, data: content.subarray(offset + HEADER, end), end }
}

/** Whether the fragment at an offset is intact, but with another length than its header says. */
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
