/** Recovery of a log on opening: checks its identity and its tail, and rebuilds the index after the last checkpoint. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CorruptRecord, SequenceGap, StoreDamaged, TailLoss } from '../../events/errors/store.ts'
import { LogDatabase, type OpenDatabase } from './database.ts'
import type { StorePaths } from './directory.ts'
import type { LogEnd } from './entries.ts'
import {
  type CheckpointEntry,
  COUNTS_KEY,
  type CountsEntry,
  checkpointKey,
  type DecodedRecord,
  decodeIndexValue,
  decodeRecord,
  EPOCH_KEY,
  type EpochEntry,
  genesisHash,
  KEY_PREFIX,
  numberIn,
  recordKey,
  STORE_KEY,
  type StoreEntry,
  startingWith,
} from './entries.ts'
import { readHeadFile } from './head-file.ts'
import { checkBeforeOpening, type UnreadTables } from './opening-check.ts'
import { records } from './reader.ts'
import { StreamIndex } from './stream-index.ts'

/** The least that a record takes in LevelDB's log files. */
const SMALLEST_RECORD_BYTES = 150
const REPLAY_GROUP = 1000

export interface RecoveredLog {
  readonly end: LogEnd
  readonly index: StreamIndex
  /** The last writer's epoch; 0 if nothing was written yet. */
  readonly epoch: number
}

/**
 * The size of LevelDB's own log files, whose damaged parts LevelDB drops silently. Must be called before the database is
 * opened, which turns them into tables.
 */
export async function logFileBytes(directory: string): Promise<number> {
  const files = (await readdir(directory)).filter((name) => name.endsWith('.log'))
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(directory, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

export interface OpenedLog {
  readonly database: LogDatabase
  readonly unread: UnreadTables
  readonly recovered: RecoveredLog
}

/**
 * Checks the files of a log, opens it and recovers it.
 *
 * @param isTemporary Whether the files are a copy that lasts as long as this process: nothing is synced.
 * @throws StoreDamaged, TailLoss, SequenceGap, CorruptRecord
 */
export async function openRecovered(
  paths: StorePaths,
  storeId: string,
  openDatabase: OpenDatabase,
  isTemporary = false,
): Promise<OpenedLog> {
  const unread = await checkBeforeOpening(paths, isTemporary)
  const unsettledBytes = await logFileBytes(paths.log)
  const options = { createIfMissing: false, unread, isTemporary }
  const database = await LogDatabase.open(paths.log, storeId, openDatabase, options)
  try {
    return { database, unread, recovered: await recoverLog(database, paths, unsettledBytes) }
  } catch (error) {
    await database.close()
    await unread.close()
    throw error
  }
}

/** `unsettledBytes` is the result of {@link logFileBytes} before the database was opened. */
export async function recoverLog(
  database: LogDatabase,
  paths: StorePaths,
  unsettledBytes: number,
): Promise<RecoveredLog> {
  await checkIdentity(database, paths)
  const { epoch: lastEpoch, ...end } = await logEnd(database)
  await checkAgainstHeadFile(database, paths, end)
  const writer = (await entry<EpochEntry>(database, EPOCH_KEY)) ?? { epoch: 0, position: 0 }
  const checkpoint = await lastCheckpoint(database)
  const unsettled = Math.ceil(unsettledBytes / SMALLEST_RECORD_BYTES) + 1
  await checkTail(database, Math.max(writer.position, end.position - unsettled), end.position, checkpoint)
  const index = new StreamIndex(database, checkpoint, await entry<CountsEntry>(database, COUNTS_KEY))
  await replay(database, index, checkpoint + 1, end.position)
  return { end, index, epoch: Math.max(writer.epoch, lastEpoch) }
}

async function checkIdentity(database: LogDatabase, paths: StorePaths): Promise<void> {
  const store = await entry<StoreEntry>(database, STORE_KEY)
  if (store?.storeId === database.storeId) return
  const problem = store ? 'its log belongs to another store' : 'the beginning of its log is missing'
  throw new StoreDamaged({ path: paths.base, file: paths.log, problem })
}

async function logEnd(database: LogDatabase): Promise<LogEnd & { epoch: number }> {
  const [last] = await database.page({ ...startingWith(KEY_PREFIX.record), reverse: true, limit: 1 })
  if (last === undefined) return { position: 0, hash: genesisHash(database.storeId), epoch: 0 }
  const position = numberIn(last[0])
  const { hash, recorded } = decodeRecord(database, position, last[1])
  return { position, hash, epoch: recorded.epoch }
}

async function checkAgainstHeadFile(database: LogDatabase, paths: StorePaths, end: LogEnd): Promise<void> {
  const head = await readHeadFile(paths.head, paths.base)
  if (head === null) return
  if (end.position < head.position) {
    throw new TailLoss({ expected: head.position, found: end.position, file: database.path })
  }
  if (head.position === 0) return
  const key = recordKey(head.position)
  const value = head.position === end.position ? null : await database.get(key)
  if (value === undefined) {
    throw new SequenceGap({ stream: null, expected: head.position, found: end.position, file: database.path })
  }
  const hash = value === null ? end.hash : decodeRecord(database, head.position, value).hash
  if (hash !== head.hash) {
    const problem = 'it is not the one last written there'
    throw new CorruptRecord({ position: head.position, key, file: database.path, problem })
  }
}

async function lastCheckpoint(database: LogDatabase): Promise<number> {
  const [last] = await database.keys({ ...startingWith(KEY_PREFIX.checkpoint), reverse: true, limit: 1 })
  return last === undefined ? 0 : numberIn(last)
}

/** Checks the part of the log that may have been in LevelDB's log file: no position and no checkpoint is missing. */
async function checkTail(
  database: LogDatabase,
  after: number,
  end: number,
  checkpoint: number,
): Promise<void> {
  const file = database.path
  for (let next = after + 1; next <= end; ) {
    const page = await database.keys({ gte: recordKey(next), lte: recordKey(end) })
    if (page.length === 0) throw new SequenceGap({ stream: null, expected: next, found: end, file })
    for (const key of page) {
      const found = numberIn(key)
      if (found !== next) throw new SequenceGap({ stream: null, expected: next, found, file })
      next++
    }
  }
  for (let position = checkpoint; position > after; ) {
    const key = checkpointKey(position)
    const found = await entry<CheckpointEntry>(database, key)
    if (found === null) throw new CorruptRecord({ position: null, key, file, problem: 'it is missing' })
    position = found.previous
  }
}

/** Rebuilds the index of the facts after the last checkpoint. */
async function replay(database: LogDatabase, index: StreamIndex, from: number, to: number): Promise<void> {
  let group: DecodedRecord[] = []
  const applyGroup = async () => {
    const heads = await index.heads(group.map(({ recorded }) => recorded))
    for (const record of group) index.apply(record, heads.get(record.recorded.stream))
    group = []
  }
  for await (const record of records(database, from, to)) {
    group.push(record)
    if (group.length === REPLAY_GROUP) await applyGroup()
  }
  await applyGroup()
}

async function entry<Entry>(database: LogDatabase, key: string): Promise<Entry | null> {
  const value = await database.get(key)
  return value === undefined ? null : decodeIndexValue<Entry>(key, value, database.path)
}
