/** What grows turn by turn, as pieces of which the next turn stores no more than is new. */
import { hash } from 'node:crypto'
import type { BlobReference, Blobs } from '../../../store/blobs.ts'

/** In bytes. More than that is not held in memory as one. */
export const LARGEST_PIECE = 8 * 2 ** 20

/**
 * How many of the stored pieces stay when one of this size follows. Those at the end that are not larger are joined with it: so
 * there are never more than some logarithm of the whole, and nothing is stored again more often than that.
 */
export function staying(sizes: readonly number[], size: number): number {
  let left = sizes.length
  for (let joined = size; left > 0; ) {
    const last = sizes[left - 1] as number
    if (last > joined || last + joined > LARGEST_PIECE) break
    joined += last
    left -= 1
  }
  return left
}

/** A text as the pieces that are stored already, and those that have to be. */
export interface DividedText {
  readonly known: readonly BlobReference[]
  readonly fresh: readonly string[]
}

/** Divides a text whose beginning may be stored. */
export function divided(text: string, stored: readonly BlobReference[]): DividedText {
  const bytes = Buffer.from(text)
  const known: BlobReference[] = []
  let at = 0
  for (const reference of stored) {
    const end = at + reference.bytes
    if (end > bytes.length || hash('sha256', bytes.subarray(at, end)) !== reference.sha256) break
    known.push({ sha256: reference.sha256, bytes: reference.bytes })
    at = end
  }
  if (at === bytes.length) return { known, fresh: [] }
  const left = staying(
    known.map((piece) => piece.bytes),
    bytes.length - at,
  )
  for (const piece of known.splice(left)) at -= piece.bytes
  const fresh: string[] = []
  while (at < bytes.length) {
    const end = characterEnd(bytes, at + LARGEST_PIECE)
    fresh.push(bytes.toString('utf8', at, end))
    at = end
  }
  return { known, fresh }
}

/** The last end of a character up to there. */
function characterEnd(bytes: Buffer, end: number): number {
  let at = Math.min(end, bytes.length)
  while (at < bytes.length && ((bytes[at] as number) & 0xc0) === 0x80) at -= 1
  return at
}

/** The bytes of which these are the pieces. */
export async function* bytesOf(blobs: Blobs, parts: readonly BlobReference[]): AsyncGenerator<Buffer> {
  for (const { sha256, bytes } of parts) yield Buffer.from(await blobs.get({ sha256, bytes }), 'base64')
}
