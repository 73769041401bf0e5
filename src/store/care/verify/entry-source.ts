/** A file of the database as entries in key order. */
import { readPlainFile } from '../../directory.ts'
import { BLOCK_TRAILER } from '../../files/block.ts'
import { carveBlocks } from '../../files/carving.ts'
import type { Entry } from '../../files/entry.ts'
import { type BlockHandle, type DataBlock, readEntries } from '../../files/table-file.ts'

export interface EntrySource {
  readonly file: string
  /** The entries whose keys start with a prefix; null if there are none. */
  entries(prefix: string): SortedEntries | null
}

export interface SortedEntries {
  /** A lower bound of the keys, so that the file need not be read before its turn. */
  readonly from: string
  /** In key order, the newest of equal keys first. */
  readonly pieces: AsyncIterable<readonly Entry[]>
}

/** Sorts after every character of a key. */
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
  const content = await readPlainFile(file)
  for (const block of blocks) yield withPrefix(prefix, entriesAt(content, block))
}

/** A table whose index of blocks is damaged: everything that can be found in it. */
export const damagedTableSource = (file: string, content: Buffer): EntrySource =>
  entriesSource(
    file,
    // The filter and the index are among the blocks found, but their entries match no prefix.
    carveBlocks(content).flatMap((block) => entriesAt(content, block)),
  )

/** A log, whose entries are in write order. */
export const entriesSource = (file: string, entries: readonly Entry[]): EntrySource => ({
  file,
  entries(prefix) {
    const wanted = withPrefix(prefix, entries)
    return wanted.length === 0 ? null : { from: prefix, pieces: singlePiece(wanted) }
  },
})

async function* singlePiece(entries: readonly Entry[]) {
  yield entries
}

export function entriesAt(content: Buffer, { offset, size }: BlockHandle): readonly Entry[] {
  return readEntries(content.subarray(offset, offset + size + BLOCK_TRAILER)).entries
}

/** Sorts, because logs and damaged tables are not in key order. */
const withPrefix = (prefix: string, entries: readonly Entry[]): Entry[] =>
  entries.filter(({ key }) => key.startsWith(prefix)).sort(byKeyThenNewest)

export const byKeyThenNewest = (a: Entry, b: Entry) =>
  a.key < b.key ? -1 : a.key > b.key ? 1 : b.sequence - a.sequence
