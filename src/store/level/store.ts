/**
 * The durable log: an event store in a directory, on LevelDB.
 *
 * L1. One process owns a store, and one writer appends to it.
 * L2. An append is one synced write: all of its facts or none, durable once it resolves.
 * L3. Each record holds the hash of the previous one, so a changed, missing or moved record is an error on reading.
 * L4. The `head` file never leads the log, so a lost tail is an error on opening.
 * L5. The index is a cache of the records: it can be rebuilt, and it never disagrees with them.
 */
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, inBackground, systemClock } from '../../clock.ts'
import { StoreForReading } from '../../events/errors/archive.ts'
import { StoreLockLost } from '../../events/errors/store.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { checkStreamName } from '../../events/ids.ts'
import { callListener } from '../../events/listener.ts'
import { hostLogger, type Logger } from '../../logger.ts'
import { appendGroup, DEFAULT_MAX_RECORD_BYTES, perAppend } from '../append-request.ts'
import { makeDirectory } from '../directory.ts'
import type { StreamAppend } from '../event-store.ts'
import { Watermark } from '../follow.ts'
import { removeLeftOvers } from '../unfinished.ts'
import type { ChainedStore } from './chained-store.ts'
import { type LogDatabase, type OpenDatabase, openLevel } from './database.ts'
import {
  atStore,
  checkFormat,
  checkRoomToWrite,
  createStoreDirectory,
  inspectStoreDirectory,
  type StorePaths,
  storePaths,
  VIEW,
} from './directory.ts'
import { HeadFile } from './head-file.ts'
import { lockStore, type StoreLock } from './lock.ts'
import { rememberTables } from './opening-check.ts'
import { logReading } from './reader.ts'
import { logFileBytes, openRecovered, recoverLog } from './recovery.ts'
import { LogWriter } from './writer.ts'

export interface LevelStoreOptions {
  readonly clock?: Clock
  readonly logger?: Logger
  /** The largest accepted record, in bytes. Default 1 MiB. */
  readonly maxRecordBytes?: number
  /** Called when the lock was removed or replaced: the store has stopped, and this process should end its work. */
  readonly onLost?: (error: StoreLockLost) => void
  /** Opens the database. Lets tests inject failures. */
  readonly openDatabase?: OpenDatabase
}

/**
 * Opens the store in a directory, and creates it if there is none. One owner at a time: a second one gets
 * {@link StoreInUse}. Closing it (`await using`) makes the next opening faster; durability does not depend on it.
 *
 * @throws StoreInUse, StoreNotOpened, UnsupportedFormat, StoreDamaged, TailLoss, SequenceGap, CorruptRecord
 * @example
 * await using store = await levelStore('.claude-agents')
 * await store.append('agent/a', [{ type: 'Greeted', v: 1, data: { text: 'hello' } }], { expectedVersion: 'none' })
 */
export async function levelStore(directory: string, options: LevelStoreOptions = {}): Promise<ChainedStore> {
  return atStore(directory, async () => {
    await makeDirectory(directory)
    const paths = storePaths(await realpath(directory))
    const forReading = (await checkFormat(paths))?.forReading ?? false
    const lock = await lockStore(paths.base)
    await removeLeftOvers(join(paths.base, VIEW)).catch(() => {})
    try {
      return await openLocked(paths, forReading, lock, options)
    } catch (error) {
      await lock.release()
      throw error
    }
  })
}

/** How often the owner is checked while nothing is written. */
const WATCH_MS = 500

async function openLocked(
  paths: StorePaths,
  forReading: boolean,
  lock: StoreLock,
  options: LevelStoreOptions,
): Promise<ChainedStore> {
  const { clock = systemClock, openDatabase = openLevel } = options
  const logger = hostLogger(options.logger)
  const storeId = (await inspectStoreDirectory(paths)) ?? (await createStoreDirectory(paths, openDatabase))
  // Copies may lack an empty directory.
  await makeDirectory(paths.blobs)
  const { database, unread, recovered } = await openRecovered(paths, storeId, openDatabase)
  try {
    const headFile = new HeadFile({ path: paths.head, storeId, clock, logger })
    const watermark = new Watermark()
    let isLost = false
    const checkOwner = () => {
      lock.check()
      if (headFile.isGone) throw new StoreLockLost({ path: paths.base, file: paths.head })
      if (unread.damage) throw unread.damage
    }
    const writer = new LogWriter({
      database,
      recovered,
      storeId,
      baseDir: paths.base,
      headFile,
      watermark,
      clock,
      logger,
      checkOwner,
      lost(error) {
        isLost = true
        stopWatching()
        logger.error({ store: paths.base, error: error.message }, 'The store has stopped')
        headFile.abandon()
        watermark.end()
        // LevelDB must not compact, nor remove files, once another process may open them.
        void database.close(error).finally(lock.release)
        callListener(options.onLost, error)
      },
      async reopen() {
        checkOwner()
        await checkRoomToWrite(paths.base)
        const unsettled = await logFileBytes(paths.log)
        await database.reopen()
        return recoverLog(database, paths, unsettled)
      },
    })
    // While calls run, nothing is written. The disk does not follow the clock of a test.
    let stopWatching = () => {}
    const watch = () => {
      stopWatching = inBackground(systemClock, WATCH_MS, () => {
        watch()
        writer.checkOwner()
      })
    }
    watch()
    const close = async () => {
      stopWatching()
      try {
        await writer.close()
        watermark.end()
        await headFile.close()
      } finally {
        await database.close()
        await unread.close()
        if (!isLost && !unread.damage) await rememberTables(paths)
        await lock.release()
      }
    }
    if (unread.size > 0) unread.scrub(clock, logger)
    const maxRecordBytes = options.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES
    return eventStore({
      storeId,
      paths,
      forReading,
      database,
      writer,
      watermark,
      close,
      maxRecordBytes,
    })
  } catch (error) {
    await database.close()
    await unread.close()
    throw error
  }
}

interface OpenStore {
  readonly storeId: string
  readonly paths: StorePaths
  readonly forReading: boolean
  readonly database: LogDatabase
  readonly writer: LogWriter
  readonly watermark: Watermark
  readonly maxRecordBytes: number
  close(): Promise<void>
}

function eventStore(open: OpenStore): ChainedStore {
  const { storeId, paths, forReading, database, writer, watermark, maxRecordBytes } = open
  let closing: Promise<void> | null = null
  const checkOpen = () => {
    if (closing) throw new ClosedError({ what: 'store' })
  }
  const groupOf = (appends: readonly StreamAppend[]) => {
    checkOpen()
    if (forReading) throw new StoreForReading({ path: paths.base })
    return appendGroup(appends, maxRecordBytes)
  }
  return {
    storeId,
    forReading,
    baseDir: paths.base,
    epoch: writer.epoch,
    ...logReading({
      database,
      blobsPath: paths.blobs,
      watermark,
      index: () => writer.index,
      checkOpen,
      idle: () => writer.idle(),
    }),
    // Not an async function: with 256 concurrent appends, one more promise for each is noticeable.
    append(stream, facts, options = {}) {
      try {
        return writer.append(groupOf([{ ...options, stream, facts }]))
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async appendAll(appends) {
      const group = groupOf(appends)
      return perAppend(group, await writer.append(group))
    },
    async claim(stream) {
      checkOpen()
      return writer.claim(checkStreamName(stream))
    },
    [Symbol.asyncDispose]() {
      closing ??= open.close()
      return closing
    },
  }
}
