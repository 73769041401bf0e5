/** Every entry that can still be found in the files of a database, intact or damaged, current or obsolete. */
import { readPlainFile } from '../../directory.ts'
import { carveBlocks } from '../../files/carving.ts'
import type { Entry } from '../../files/entry.ts'
import { readLogDirectory } from '../../files/log-directory.ts'
import { scanLogFile } from '../../files/log-file.ts'
import { type BlockHandle, TableFile } from '../../files/table-file.ts'
import { decodeBatch } from '../../files/write-batch.ts'
import { openLevel } from '../../level/database.ts'
import { entriesAt } from '../verify/entry-source.ts'

export interface SalvagedEntry extends Entry {
  readonly file: string
}

/**
 * Parses the files directly. Damaged, outdated and unreferenced entries are included: the caller must verify each one.
 */
export async function* entriesInFiles(directory: string): AsyncGenerator<SalvagedEntry, void, undefined> {
  const { tables, logs, strays } = await readLogDirectory(directory)
  const all = [...tables, ...logs, ...strays].map(({ path }) => path)
  for (const file of new Set(all)) {
    const entries = await entriesIn(file).catch(() => [])
    for (const entry of entries) yield { ...entry, file }
  }
}

async function entriesIn(file: string): Promise<readonly Entry[]> {
  if (file.endsWith('.log')) {
    const { records } = scanLogFile(await readPlainFile(file))
    return records.flatMap(({ payload }) => decodeBatch(payload).entries)
  }
  const content = await readPlainFile(file)
  const blocks = await blocksOf(file, content)
  return blocks.flatMap((block) => entriesAt(content, block))
}

/** The blocks listed in the table's index and, if anything around them is damaged, those found by their checksums. */
async function blocksOf(file: string, content: Buffer): Promise<readonly BlockHandle[]> {
  await using table = await TableFile.open(file)
  const { blocks, damage } = await table.layout()
  if (damage.length === 0) return blocks
  const known = new Set(blocks.map(({ offset }) => offset))
  return [...blocks, ...carveBlocks(content).filter(({ offset }) => !known.has(offset))]
}

/**
 * Has LevelDB repair a copy of its files, and reads everything in it. Only a second source: LevelDB may abort the process,
 * and may return values that were never written.
 */
export async function* entriesAfterRepair(copy: string): AsyncGenerator<SalvagedEntry, void, undefined> {
  const { Level } = await import('level')
  await (Level as unknown as { repair(path: string): Promise<void> }).repair(copy)
  const database = await openLevel(copy, { createIfMissing: false })
  try {
    for await (const [key, value] of database.iterator()) {
      yield { key, value: Buffer.from(value), sequence: 0, file: "LevelDB's own repair" }
    }
  } finally {
    await database.close()
  }
}
