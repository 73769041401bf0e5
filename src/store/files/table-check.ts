/** Checks the bytes of a table: its size, its index and filters, and the checksum of each block. */
import { BLOCK_TRAILER, blockProblem } from './block.ts'
import type { FileProblem, TableOnDisk } from './log-directory.ts'
import { type DataBlock, TableFile } from './table-file.ts'

/** What is wrong with a table; null if it is what was written. */
export const tableProblem = (table: TableOnDisk): Promise<FileProblem | null> => new TableCheck(table).all()

/** Keys, both included. */
export interface KeySpan {
  readonly from: string
  readonly to: string
}

/**
 * The check of one table, block by block. Calls must not overlap. Everything around the blocks is checked first: without it,
 * nobody knows where the blocks are.
 */
export class TableCheck {
  readonly #table: TableOnDisk
  #blocks: readonly DataBlock[] | undefined
  /** Those that are still to be checked. */
  #unchecked: Set<DataBlock> | undefined

  constructor(table: TableOnDisk) {
    this.#table = table
  }

  /** Whether every byte was checked. */
  get isDone(): boolean {
    return this.#unchecked?.size === 0
  }

  /** Checks all that is still to be checked. */
  all(): Promise<FileProblem | null> {
    return this.#check((blocks) => blocks)
  }

  /** Checks the blocks that LevelDB reads to find these keys, or that there are none. */
  spans(spans: readonly KeySpan[]): Promise<FileProblem | null> {
    return this.#check((blocks) => spans.flatMap((span) => around(blocks, span)))
  }

  /** @param wanted Which blocks; the same one may be named again. */
  async #check(wanted: (blocks: readonly DataBlock[]) => readonly DataBlock[]): Promise<FileProblem | null> {
    const left = (blocks: readonly DataBlock[]) =>
      new Set(wanted(blocks).filter((block) => this.#unchecked?.has(block)))
    if (this.#blocks && left(this.#blocks).size === 0) return null
    const { path: file, entry } = this.#table
    await using table = await TableFile.open(file)
    if (entry && table.size !== entry.size) {
      const problem = `it has ${table.size} bytes instead of the ${entry.size} that were written`
      return { file, offset: null, problem }
    }
    if (!this.#blocks) {
      const { blocks, damage } = await table.layout()
      if (damage[0]) return { file, ...damage[0] }
      this.#blocks = blocks
      this.#unchecked = new Set(blocks)
    }
    for (const run of neighbours(this.#blocks, left(this.#blocks))) {
      const [first, last] = [run[0] as DataBlock, run.at(-1) as DataBlock]
      const end = last.offset + last.size + BLOCK_TRAILER
      const content = await table.bytes(first.offset, end - first.offset)
      for (const block of run) {
        const { offset, size } = block
        const problem = blockProblem(content, offset - first.offset, size)
        if (problem !== null) return { file, offset, problem }
        this.#unchecked?.delete(block)
      }
    }
    return null
  }
}

/** The blocks that may hold keys of a span, and one on either side: an iterator looks at the keys beyond its ends. */
function around(blocks: readonly DataBlock[], { from, to }: KeySpan): readonly DataBlock[] {
  const first = firstWhere(blocks, ({ separator }) => separator >= from)
  const end = firstWhere(blocks, ({ after }) => after > to)
  return blocks.slice(Math.max(0, first - 1), end + 1)
}

/** Some blocks of a table in runs of those that follow each other, so that each run is read at once. */
function neighbours(
  blocks: readonly DataBlock[],
  some: ReadonlySet<DataBlock>,
): readonly (readonly DataBlock[])[] {
  const runs: DataBlock[][] = []
  for (const [index, block] of blocks.entries()) {
    if (!some.has(block)) continue
    if (index > 0 && some.has(blocks[index - 1] as DataBlock)) runs.at(-1)?.push(block)
    else runs.push([block])
  }
  return runs
}

/** The number of the first block, in the order of their keys, of which this is so; their count if there is none. */
function firstWhere(blocks: readonly DataBlock[], isSo: (block: DataBlock) => boolean): number {
  let [low, high] = [0, blocks.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isSo(blocks[middle] as DataBlock)) high = middle
    else low = middle + 1
  }
  return low
}
