/**
 * Compaction: drops the bodies that are no longer retained, in place, record by record. No fact is removed, no position
 * changes, and the hash chain stays intact because each record keeps its original hash. So the log is valid after every
 * write, and a kill midway leaves a valid log with fewer bodies dropped (decision 8).
 */
import { existsSync } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Recorded } from '../../events/envelope.ts'
import { CompactionRefused } from '../../events/errors/archive.ts'
import type { JsonObject } from '../../events/json.ts'
import { snapshotsPath } from '../../workspaces/directories.ts'
import { cutSnapshots } from '../../workspaces/files/snapshots.ts'
import { blobReferences } from '../blob-reference.ts'
import { type Database, LogDatabase, openLevel } from '../level/database.ts'
import { atStore, type StorePaths, storePaths } from '../level/directory.ts'
import {
  type DecodedRecord,
  encodeReduced,
  joinText,
  KEY_PREFIX,
  numberIn,
  recordKey,
  splitText,
  startingWith,
} from '../level/entries.ts'
import { lockStore, type StoreLock } from '../level/lock.ts'
import { records } from '../level/reader.ts'
import { logSnapshots } from '../level/snapshots.ts'
import { collectBlobs, type OrphanedBlobs } from './blob-collection.ts'
import { verifyStore } from './verification.ts'

/** Decides which bodies to keep. It sees the whole log before anything is dropped. */
export interface Retention {
  see(recorded: Recorded): void
  /** The data of a fact without the bodies to drop; undefined to keep all of it. */
  reduce(recorded: Recorded): JsonObject | undefined
  /** How many facts name snapshots of files that are old, and before which commits their history is cut off. */
  snapshots(): { readonly old: number; readonly cut: readonly string[] }
}

/** What a compaction dropped, or would drop. */
export interface CompactionReport {
  /** The number of facts whose bodies were dropped or, in a dry run, would be. */
  readonly facts: number
  /** The number of characters saved in their records. */
  readonly characters: number
  /** Blobs that no fact refers to any more. */
  readonly orphans: OrphanedBlobs
  /** How many facts name snapshots of files of these tasks. */
  readonly oldSnapshots: number
  /** Whether these were dropped or, in a dry run, would be. */
  readonly snapshotsDropped: boolean
  /** The size of the log, the blobs and the snapshots on disk. A dry run changes none of them. */
  readonly bytesBefore: number
  readonly bytesAfter: number
}

const BATCH_RECORDS = 500

/**
 * Drops the bodies that the retention does not keep, then removes the blobs that no fact refers to any more. A store with
 * any damage is refused and left unchanged.
 *
 * @throws StoreInUse, StoreNotOpened, CompactionRefused, StoreLockLost
 */
export async function compactStore(
  directory: string,
  retention: Retention,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<CompactionReport> {
  const paths = storePaths(await atStore(directory, () => realpath(directory)))
  const { ok, storeId, findings } = await verifyStore(paths.base, { files: false })
  if (!ok || storeId === null) {
    throw new CompactionRefused({ path: paths.base, problem: findings[0]?.problem ?? 'it has no store.json' })
  }
  const lock = await atStore(directory, () => lockStore(paths.base))
  try {
    const bytesBefore = await bytesOf(paths)
    const dropped = await new Compaction(paths, storeId, retention, dryRun, lock).run()
    return { ...dropped, bytesBefore, bytesAfter: dryRun ? bytesBefore : await bytesOf(paths) }
  } finally {
    await lock.release()
  }
}

/** `compactRange` is specific to LevelDB; the common interface lacks it. */
type Compactable = Database & { compactRange(start: string, end: string): Promise<void> }

class Compaction {
  readonly #paths: StorePaths
  readonly #storeId: string
  readonly #retention: Retention
  readonly #dryRun: boolean
  readonly #lock: StoreLock
  readonly #needed = new Set<string>()
  #facts = 0
  #characters = 0

  constructor(paths: StorePaths, storeId: string, retention: Retention, dryRun: boolean, lock: StoreLock) {
    this.#paths = paths
    this.#storeId = storeId
    this.#retention = retention
    this.#dryRun = dryRun
    this.#lock = lock
  }

  async run(): Promise<Omit<CompactionReport, 'bytesBefore' | 'bytesAfter'>> {
    const level = await openLevel(this.#paths.log, { createIfMissing: false })
    const open = async () => level
    const database = await LogDatabase.open(this.#paths.log, this.#storeId, open, { createIfMissing: false })
    try {
      await this.#dropBodies(database)
      this.#lock.check()
      if (this.#facts > 0 && !this.#dryRun) {
        // Snapshots may contain what was dropped. They are made again when needed.
        await logSnapshots(database).clear()
        await (level as Compactable).compactRange('', '\x7f')
      }
    } finally {
      await database.close()
    }
    // Another owner may have put new ones there.
    this.#lock.check()
    const orphans = await collectBlobs(this.#paths.blobs, this.#needed, { dryRun: this.#dryRun })
    const { old: oldSnapshots, cut } = this.#retention.snapshots()
    if (!this.#dryRun && cut.length > 0) await cutSnapshots(this.#paths.base, cut)
    const snapshotsDropped = oldSnapshots > 0 && cut.length > 0
    return { facts: this.#facts, characters: this.#characters, orphans, oldSnapshots, snapshotsDropped }
  }

  async #dropBodies(database: LogDatabase): Promise<void> {
    const [last] = await database.keys({ ...startingWith(KEY_PREFIX.record), reverse: true, limit: 1 })
    const end = last === undefined ? 0 : numberIn(last)
    for await (const { recorded } of records(database, 1, end)) this.#retention.see(recorded)
    let batch = database.batch()
    for await (const record of records(database, 1, end)) {
      const { recorded } = record
      const data = this.#retention.reduce(recorded)
      for (const { sha256 } of blobReferences(data ?? recorded.data)) this.#needed.add(sha256)
      if (!data) continue
      const { value, gained } = reduced(record, data)
      if (data.dropped !== true) {
        this.#facts++
        this.#characters += gained
      }
      if (this.#dryRun) continue
      batch.put(recordKey(recorded.position), value)
      if (batch.length < BATCH_RECORDS) continue
      this.#lock.check()
      await batch.write({ sync: true })
      batch = database.batch()
    }
    this.#lock.check()
    if (batch.length > 0) await batch.write({ sync: true })
    else await batch.close()
  }
}

function reduced({ recorded, note, previousHash, hash, text }: DecodedRecord, data: JsonObject) {
  // Keep fields that a later version may have added to the data.
  const fact = { ...(JSON.parse(splitText(text).fact) as object), data }
  const shorter = joinText(JSON.stringify(fact), note)
  const { value } = encodeReduced(recordKey(recorded.position), previousHash, hash, shorter)
  return { value, gained: text.length - shorter.length }
}

async function bytesOf({ base, log, blobs }: StorePaths): Promise<number> {
  let sum = 0
  const objects = join(snapshotsPath(base), 'objects')
  for (const directory of [log, blobs, ...(existsSync(objects) ? [objects] : [])]) {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size
    }
  }
  return sum
}
