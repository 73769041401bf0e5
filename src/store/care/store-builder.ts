/** Builds a store from existing facts. Its directory gets its name only once the complete store is on disk. */
import { readdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Recorded } from '../../events/envelope.ts'
import { DirectoryNotEmpty } from '../../events/errors/archive.ts'
import type { BlobReference, Blobs } from '../blobs.ts'
import { absolutePath, hideFromGit, isMissing, makeDirectory, syncDirectory } from '../directory.ts'
import { fileBlobs } from '../file-blobs.ts'
import { type LogDatabase, openLevel } from '../level/database.ts'
import { createLog, storePaths, writeStoreFiles } from '../level/directory.ts'
import {
  type CommitNote,
  encodeIndexValue,
  genesisHash,
  type LogEnd,
  type LostBodyEntry,
  lostBodyKey,
  recordKey,
} from '../level/entries.ts'
import { StreamIndex } from '../level/stream-index.ts'
import { removeLeftOvers, unfinishedPath } from '../unfinished.ts'
import { writingError } from './archive/writer.ts'

/** The most facts, and characters of them, in one write. */
const GROUP_FACTS = 1000
const GROUP_LENGTH = 4 * 1024 * 1024

/** A record as it will be in the log, with its hashes. */
export interface EncodedRecord {
  readonly recorded: Recorded
  readonly note: CommitNote | null
  readonly value: string
  readonly hash: string
}

export interface NewStore {
  readonly storeId: string
  readonly forReading: boolean
}

/** What a store is built with, wherever it is. */
export interface LogBuilder {
  /** Where its files are: those of agents, turn by turn. Undefined where there are none. */
  readonly directory: string | undefined
  readonly blobs: Blobs
  readonly end: LogEnd
  /** Adds the next record. The caller must get its position and its hashes right. */
  add(record: EncodedRecord): Promise<void>
  /** Records that a body is lost, so that the store is intact without it. */
  loseBody(reference: BlobReference): void
}

/** Builds a store from what `fill` adds: all of it, or nothing. Resolves with the end of its log. */
export type BuildStore = (store: NewStore, fill: (builder: LogBuilder) => Promise<void>) => Promise<LogEnd>

/**
 * Builds a store from what `fill` adds. If anything fails, nothing is left behind. Returns the end of the log.
 *
 * @throws DirectoryNotEmpty, ArchiveNotWritten
 */
export async function buildStore(
  directory: string,
  { storeId, forReading }: NewStore,
  fill: (builder: LogBuilder) => Promise<void>,
): Promise<LogEnd> {
  const target = absolutePath(directory)
  const unfinished = unfinishedPath(target)
  const paths = storePaths(unfinished)
  try {
    await checkEmpty(target)
    await makeDirectory(dirname(target))
    await removeLeftOvers(target)
    await makeDirectory(unfinished)
    await hideFromGit(unfinished)
    const database = await createLog(paths, storeId, openLevel)
    const builder = new StoreBuilder(unfinished, database, fileBlobs(paths.blobs), storeId)
    try {
      await fill(builder)
      await builder.finish()
    } finally {
      await database.close()
    }
    await writeStoreFiles(paths, { storeId, ...builder.end }, { forReading })
    // Renaming replaces an empty directory, and nothing else.
    await rename(unfinished, target)
    await syncDirectory(dirname(target))
    return builder.end
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true }).catch(() => {})
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTEMPTY' || code === 'EEXIST')
      throw new DirectoryNotEmpty({ path: target }, { cause: error })
    throw writingError(target, error)
  }
}

async function checkEmpty(path: string): Promise<void> {
  try {
    if ((await readdir(path)).length === 0) return
  } catch (error) {
    if (isMissing(error)) return
    throw new DirectoryNotEmpty({ path }, { cause: error })
  }
  throw new DirectoryNotEmpty({ path })
}

class StoreBuilder implements LogBuilder {
  /** Where it is as long as it is not complete. */
  readonly directory: string
  readonly blobs: Blobs
  readonly #database: LogDatabase
  readonly #index: StreamIndex
  #end: LogEnd
  #group: EncodedRecord[] = []
  #length = 0
  #lost: BlobReference[] = []

  constructor(directory: string, database: LogDatabase, blobs: Blobs, storeId: string) {
    this.directory = directory
    this.blobs = blobs
    this.#database = database
    this.#index = new StreamIndex(database, 0, null)
    this.#end = { position: 0, hash: genesisHash(storeId) }
  }

  get end(): LogEnd {
    return this.#end
  }

  async add(record: EncodedRecord): Promise<void> {
    this.#group.push(record)
    this.#length += record.value.length
    this.#end = { position: record.recorded.position, hash: record.hash }
    if (this.#group.length >= GROUP_FACTS || this.#length >= GROUP_LENGTH) await this.#write(false)
  }

  loseBody(reference: BlobReference): void {
    this.#lost.push(reference)
  }

  async finish(): Promise<void> {
    await this.#write(true)
  }

  async #write(last: boolean): Promise<void> {
    const batch = this.#database.batch()
    const heads = await this.#index.heads(this.#group.map(({ recorded }) => recorded))
    for (const { recorded, note, value } of this.#group) {
      batch.put(recordKey(recorded.position), value)
      this.#index.apply({ recorded, note, length: value.length }, heads.get(recorded.stream))
    }
    for (const { sha256, bytes } of this.#lost) {
      const key = lostBodyKey(sha256)
      batch.put(key, encodeIndexValue(key, { bytes } satisfies LostBodyEntry))
    }
    const flush = this.#end.position > this.#index.checkpoint && (last || this.#index.needsFlush)
    if (flush) this.#index.flush(batch, this.#end.position)
    await batch.write({ sync: true })
    if (flush) this.#index.flushed(this.#end.position)
    this.#group = []
    this.#lost = []
    this.#length = 0
  }
}
