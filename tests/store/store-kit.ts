/** Shared by the tests of the durable store: facts, readers, and ways to change or break the database underneath. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NewFact } from '../../src/events/envelope.ts'
import { type Database, type OpenDatabase, openLevel } from '../../src/store/level/database.ts'

export const counted = (n: number): NewFact => ({ type: 'Counted', v: 1, data: { n } })

export const countedTo = (last: number): NewFact[] =>
  Array.from({ length: last }, (_, index) => counted(index + 1))

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Changes the database of a closed store, as a fault would. */
export async function tamper(
  directory: string,
  change: (database: Database) => Promise<void>,
): Promise<void> {
  const database = await openLevel(join(directory, 'log'), { createIfMissing: false })
  await change(database)
  await database.close()
}

/** Every file below a directory, with its content in hex. */
export async function contents(directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name)
      found.set(path, (await readFile(path)).toString('hex'))
    }
  }
  return found
}

/** How the next writes fail: not at all, before anything is written, or after everything is. */
export type Fault = 'none' | 'before' | 'after'

interface FaultyDatabase {
  fault: Fault
  /** What happens while a write is under way. */
  duringWrite: () => Promise<void>
  openings: number
  readonly open: OpenDatabase
}

/** A database whose writes fail on demand, or take long. */
export function faultyDatabase(): FaultyDatabase {
  const faulty: FaultyDatabase = { fault: 'none', duringWrite: async () => {}, openings: 0, open }
  return faulty

  async function open(path: string, options: { readonly createIfMissing: boolean }): Promise<Database> {
    const database = await openLevel(path, options)
    faulty.openings++
    const makeBatch = database.batch.bind(database) as () => ReturnType<Database['batch']>
    const faultyBatch = () => {
      const batch = makeBatch()
      const write = batch.write.bind(batch) as (options?: object) => Promise<void>
      batch.write = async (options?: object) => {
        await faulty.duringWrite()
        if (faulty.fault !== 'before') await write(options)
        if (faulty.fault !== 'none') {
          throw Object.assign(new Error('IO error: No space left on device'), { code: 'LEVEL_IO_ERROR' })
        }
      }
      return batch
    }
    return Object.assign(database, { batch: faultyBatch }) as Database
  }
}
