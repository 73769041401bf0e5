/** Reads from git's index what it says about content: names, modes, hashes and stages, without times and sizes. */

const SIGNATURE = 'DIRC'
const HEADER_BYTES = 12
/** Of an entry: times, device, inode, mode, owner, group and size, in 4 bytes each. */
const STAT_BYTES = 40
const MODE_AT = 24
const EXTENDED = 0x4000
/** Without the length of the name, and without `assume valid`. */
const STAGE_BITS = 0x3000

/**
 * One buffer that is equal for indexes with equal entries; null if this is not an index of version 2 or 3, the versions
 * that git writes by default, in a repository that hashes with sha1 or sha256.
 */
export function indexEntries(index: Buffer): Buffer | null {
  return entriesWith(20, index) ?? entriesWith(32, index)
}

function entriesWith(hashBytes: number, index: Buffer): Buffer | null {
  if (index.length < HEADER_BYTES + hashBytes || index.toString('latin1', 0, 4) !== SIGNATURE) return null
  const version = index.readUInt32BE(4)
  if (version !== 2 && version !== 3) return null
  const parts: Buffer[] = []
  const end = index.length - hashBytes
  let at = HEADER_BYTES
  for (let left = index.readUInt32BE(8); left > 0; left -= 1) {
    const flagsAt = at + STAT_BYTES + hashBytes
    if (flagsAt + 4 > end) return null
    const flags = index.readUInt16BE(flagsAt)
    const isExtended = (flags & EXTENDED) !== 0
    const nameAt = flagsAt + (isExtended ? 4 : 2)
    const nameEnd = index.indexOf(0, nameAt)
    if (nameEnd <= nameAt || nameEnd >= end) return null
    const stage = Buffer.alloc(4)
    stage.writeUInt16BE(flags & STAGE_BITS)
    if (isExtended) index.copy(stage, 2, flagsAt + 2, flagsAt + 4)
    parts.push(
      index.subarray(at + MODE_AT, at + MODE_AT + 4),
      index.subarray(at + STAT_BYTES, flagsAt),
      stage,
      index.subarray(nameAt, nameEnd + 1),
    )
    // An entry is padded with 1 to 8 NULs to a multiple of 8 bytes.
    at += (nameEnd - at + 8) & ~7
  }
  return extensionsEnd(index, at, end) ? Buffer.concat(parts) : null
}

/** Whether only extensions follow that cache something. One in lower case (a split or sparse index) changes the meaning. */
function extensionsEnd(index: Buffer, from: number, end: number): boolean {
  let at = from
  while (at + 8 <= end) {
    const first = index[at] ?? 0
    if (first < 0x41 || first > 0x5a) return false
    at += 8 + index.readUInt32BE(at + 4)
  }
  return at === end
}
