/** One file of the database as entries in the order of their keys. */
import { readFile } from 'node:fs/promises'
import { BLOCK_TRAILER } from '../../files/block.ts'
import { carveBlocks } from '../../files/carving.ts'
import type { Entry } from '../../files/entry.ts'
import { type BlockHandle, type DataBlock, readEntries } from '../../files/table-file.ts'

export interface EntrySource {
  readonly file: string
  /** The entries whose keys begin so; null when there are none. */
  entries(prefix: string): SortedEntries | null
}

export interface SortedEntries {
  /** No key is smaller than this, so that a file need not be read before its turn. */
  readonly from: string
  /** In order, the newest of equal keys first. */
  readonly pieces: AsyncIterable<readonly Entry[]>
}

/** Above every character of a key. */
const ABOVE = '\x7f'

export const tableSource = (file: string, blocks: readonly DataBlock[]): EntrySource => ({
  file,
  entries(prefix) {
    const wanted = blocks.filter(({ after, separator }) => separator >= prefix && after < prefix + ABOVE)
    const [first] = wanted
    if (!first) return null
    return { from: first.after > prefix ? first.after : prefix, pieces: blockPieces(file, wanted, prefix) }
  },
})

async function* blockPieces(file: string, blocks: readonly BlockHandle[], prefix: string) {
  const content = await readFile(file)
  for (const block of blocks) yield beginningWith(prefix, entriesAt(content, block))
}

/** A table whose index of blocks is damaged: all that can be found in it, at once. */
export const damagedTableSource = (file: string, content: Buffer): EntrySource =>
  entriesSource(
    file,
    // The filter and the index are among the blocks that are found, and hold no keys of ours.
    carveBlocks(content).flatMap((place) => entriesAt(content, place)),
  )

/** A log, whose entries are in the order of writing. */
export const entriesSource = (file: string, entries: readonly Entry[]): EntrySource => ({
  file,
  entries(prefix) {
    const wanted = beginningWith(prefix, entries)
    return wanted.length === 0 ? null : { from: prefix, pieces: once(wanted) }
  },
})

async function* once(entries: readonly Entry[]) {
  yield entries
}

export function entriesAt(content: Buffer, { offset, size }: BlockHandle): readonly Entry[] {
  return readEntries(content.subarray(offset, offset + size + BLOCK_TRAILER)).entries
}

/** What a table holds is in order already, but for damaged blocks. */
const beginningWith = (prefix: string, entries: readonly Entry[]): Entry[] =>
  entries.filter(({ key }) => key.startsWith(prefix)).sort(byKeyThenNewest)

export const byKeyThenNewest = (a: Entry, b: Entry) =>
  a.key < b.key ? -1 : a.key > b.key ? 1 : b.sequence - a.sequence
