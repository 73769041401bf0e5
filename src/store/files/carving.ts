/** Finds the blocks of a table without its index, by their checksums: a block ends where its checksum matches. */
import { BLOCK_TRAILER } from './block.ts'
import { CRC_START, extendCrc, maskedCrc } from './crc32c.ts'
import type { BlockHandle } from './table-file.ts'

/** A block is cut after the first entry beyond 4 KB, so only a very large record makes one this large. */
const LARGEST_BLOCK = 8 * 1024 * 1024
/** The largest block to search for after a damaged one, whose end is unknown. */
const SEARCHED_BLOCK = 32 * 1024
/** The most bytes to hash in total: enough for dozens of damaged blocks. */
const LARGEST_EFFORT = 1_000_000_000

/** The intact blocks of a table, in order. Damaged ones are skipped. */
export function carveBlocks(content: Buffer): BlockHandle[] {
  const blocks: BlockHandle[] = []
  let effort = 0
  let window = LARGEST_BLOCK
  for (let offset = 0; offset + BLOCK_TRAILER < content.length && effort < LARGEST_EFFORT; ) {
    const size = blockSize(content, offset, window)
    effort += size ?? Math.min(window, content.length - offset)
    if (size === null) {
      offset++
      window = SEARCHED_BLOCK
    } else {
      blocks.push({ offset, size })
      offset += size + BLOCK_TRAILER
      window = LARGEST_BLOCK
    }
  }
  return blocks
}

/** The size of the block at an offset; null if none starts there. */
function blockSize(content: Buffer, offset: number, window: number): number | null {
  const end = Math.min(content.length - BLOCK_TRAILER, offset + window)
  let crc = CRC_START
  for (let at = offset; at <= end; at++) {
    const kind = content[at] as number
    crc = extendCrc(crc, content, at, at + 1)
    // The byte after a block is its compression, 0 or 1. No block is empty.
    if (kind <= 1 && at > offset && maskedCrc(crc) === content.readUInt32LE(at + 1)) return at - offset
  }
  return null
}
