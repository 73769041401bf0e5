/** What grows turn by turn is stored in pieces: each turn stores what is new, and the pieces stay few. */
import { hash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { divided, LARGEST_PIECE, staying } from '../../../../src/actors/agent/moving/pieces.ts'
import type { BlobReference } from '../../../../src/store/blobs.ts'

/** Stores texts one after the other, and returns the pieces of each. */
function storing() {
  const blobs = new Map<string, string>()
  let put = 0
  const store = (text: string, before: readonly BlobReference[]): readonly BlobReference[] => {
    const { known, fresh } = divided(text, before)
    const added = fresh.map((piece) => {
      const reference = { sha256: hash('sha256', piece), bytes: Buffer.byteLength(piece) }
      blobs.set(reference.sha256, piece)
      put += reference.bytes
      return reference
    })
    return [...known, ...added]
  }
  const read = (pieces: readonly BlobReference[]) =>
    pieces.map(({ sha256 }) => blobs.get(sha256) ?? 'missing').join('')
  return { store, read, putBytes: () => put }
}

const aText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })

test('the pieces of a text are the text, whatever was stored before', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), aText), { minLength: 1, maxLength: 40 }), (turns) => {
      const { store, read } = storing()
      let text = ''
      let pieces: readonly BlobReference[] = []
      for (const [grows, added] of turns) {
        text = grows ? text + added : added + text.slice(0, text.length / 2)
        // Half of a surrogate pair is no text.
        text = Buffer.from(text).toString()
        pieces = store(text, pieces)
        expect(read(pieces)).toBe(text)
      }
    }),
  )
})

test('a text that grows by equal parts is in a few pieces, and each part is stored again a few times at most', () => {
  const { store, putBytes } = storing()
  let text = ''
  let pieces: readonly BlobReference[] = []
  for (let turn = 0; turn < 500; turn++) {
    text += `${String(turn).padStart(99)}\n`
    pieces = store(text, pieces)
    expect(pieces.length).toBeLessThanOrEqual(Math.log2(turn + 1) + 1)
  }
  expect(putBytes()).toBeLessThanOrEqual(text.length * (Math.log2(500) + 1))
  const before = putBytes()
  expect(store(text, pieces)).toEqual(pieces)
  expect(putBytes()).toBe(before)
})

test('no piece is larger than what is held in memory, and none ends inside a character', () => {
  const text = `x${'€'.repeat(LARGEST_PIECE / 2)}`
  const { store, read } = storing()
  const pieces = store(text, [])
  expect(pieces.length).toBe(2)
  expect(Math.max(...pieces.map(({ bytes }) => bytes))).toBeLessThanOrEqual(LARGEST_PIECE)
  expect(read(pieces)).toBe(text)
})

test('pieces that stay are each larger than all that follows, up to the largest', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: LARGEST_PIECE }), { maxLength: 100 }), (added) => {
      let sizes: number[] = []
      for (const size of added) {
        const left = staying(sizes, size)
        sizes = [...sizes.slice(0, left), sizes.slice(left).reduce((sum, one) => sum + one, size)]
      }
      for (const [at, size] of sizes.entries()) {
        const next = sizes[at + 1]
        if (next !== undefined) expect(size > next || size + next > LARGEST_PIECE).toBe(true)
      }
    }),
  )
})
