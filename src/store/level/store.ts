/** The durable log: an event store in a directory, on LevelDB. */
import { realpath } from 'node:fs/promises'
import { type Clock, systemClock } from '../../clock.ts'
import { StoreForReading } from '../../events/errors/archive.ts'
import { StoreInUse, StoreNotOpened } from '../../events/errors/store.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { checkStreamName } from '../../events/ids.ts'
import { type Logger, silentLogger } from '../../logger.ts'
import { appendRequest, DEFAULT_MAX_RECORD_BYTES } from '../append-request.ts'
import { makeDirectory } from '../directory.ts'
import type { EventStore } from '../event-store.ts'
import { fileBlobs } from '../file-blobs.ts'
import { follow, Growth } from '../follow.ts'
import { readRange } from '../read-range.ts'
import type { ChainedStore } from './chained-store.ts'
import { LogDatabase, type OpenDatabase, openLevel } from './database.ts'
import {
  checkFormat,
  createStoreDirectory,
  inspectStoreDirectory,
  type StorePaths,
  storePaths,
} from './directory.ts'
import { HeadFile } from './head-file.ts'
import { lostBodyKey } from './keys.ts'
import { lockStore } from './lock.ts'
import { checkBeforeOpening } from './opening-check.ts'
import { listStreams, readStream, recordPages, records } from './reader.ts'
import { logFileBytes, recoverLog } from './recovery.ts'
import { logSnapshots } from './snapshots.ts'
import { checkRoomToWrite } from './writable.ts'
import { LogWriter } from './writer.ts'

export interface LevelStoreOptions {
  readonly clock?: Clock
  readonly logger?: Logger
  /** The largest record that is taken, in bytes. Default 1 MiB. */
  readonly maxRecordBytes?: number
  /** How the database is opened. For tests of what happens when it fails. */
  readonly openDatabase?: OpenDatabase
}

/**
 * Opens the store in a directory, and makes it where there is none. One owner at a time: another one gets
 * {@link StoreInUse}. Close it (`await using`): that saves the next opening work, and is not needed for durability.
 *
 * @throws StoreInUse, StoreNotOpened, UnsupportedFormat, StoreDamaged, TailLoss, SequenceGap, CorruptRecord
 * @example
 * await using store = await levelStore('.claude-agents')
 * await store.append('agent/a', [{ type: 'Greeted', v: 1, data: { text: 'hello' } }], { expectedVersion: 'none' })
 */
export async function levelStore(directory: string, options: LevelStoreOptions = {}): Promise<ChainedStore> {
  try {
    await makeDirectory(directory)
    const paths = storePaths(await realpath(directory))
    const forReading = (await checkFormat(paths))?.forReading ?? false
    const lock = await lockStore(paths.base)
    try {
      return await openLocked(paths, forReading, lock.release, options)
    } catch (error) {
      await lock.release()
      throw error
    }
  } catch (error) {
    throw StoreNotOpened.from(directory, error)
  }
}

async function openLocked(
  paths: StorePaths,
  forReading: boolean,
  release: () => Promise<void>,
  options: LevelStoreOptions,
): Promise<ChainedStore> {
  const { clock = systemClock, logger = silentLogger, openDatabase = openLevel } = options
  const storeId = (await inspectStoreDirectory(paths)) ?? (await createStoreDirectory(paths, openDatabase))
  await checkBeforeOpening(paths)
  const unsettledBytes = await logFileBytes(paths.log)
  const database = await LogDatabase.open(paths.log, storeId, openDatabase, { createIfMissing: false })
  try {
    const recovered = await recoverLog(database, paths, unsettledBytes)
    const headFile = new HeadFile({ path: paths.head, storeId, clock, logger })
    const growth = new Growth()
    const writer = new LogWriter({
      database,
      recovered,
      storeId,
      baseDir: paths.base,
      headFile,
      growth,
      clock,
      logger,
      async reopen() {
        await checkRoomToWrite(paths.base)
        const unsettled = await logFileBytes(paths.log)
        await database.reopen()
        return recoverLog(database, paths, unsettled)
      },
    })
    const close = async () => {
      try {
        await writer.close()
        growth.end()
        await headFile.close()
      } finally {
        await database.close()
        await release()
      }
    }
    const maxRecordBytes = options.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES
    return eventStore({
      storeId,
      baseDir: paths.base,
      forReading,
      database,
      writer,
      growth,
      close,
      maxRecordBytes,
      blobs: fileBlobs(
        paths.blobs,
        async (sha256) => (await database.get(lostBodyKey(sha256))) !== undefined,
      ),
      snapshots: logSnapshots(database),
    })
  } catch (error) {
    await database.close()
    throw error
  }
}

interface OpenStore {
  readonly storeId: string
  readonly baseDir: string
  readonly forReading: boolean
  readonly database: LogDatabase
  readonly writer: LogWriter
  readonly growth: Growth
  readonly blobs: EventStore['blobs']
  readonly snapshots: EventStore['snapshots']
  readonly maxRecordBytes: number
  close(): Promise<void>
}

function eventStore({
  baseDir,
  database,
  writer,
  growth,
  close,
  maxRecordBytes,
  ...own
}: OpenStore): ChainedStore {
  let closing: Promise<void> | null = null
  const checkOpen = () => {
    if (closing) throw new ClosedError({ what: 'store' })
  }
  const store: ChainedStore = {
    ...own,
    epoch: writer.epoch,
    // Not an async function: of 256 appends at once, another promise for each is noticed.
    append(stream, facts, options = {}) {
      try {
        checkOpen()
        if (own.forReading) throw new StoreForReading({ path: baseDir })
        return writer.append(appendRequest(stream, facts, options, maxRecordBytes))
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async *read(stream, options = {}) {
      checkOpen()
      yield* readStream(database, writer.index, checkStreamName(stream), options)
    },
    async *readAll(options = {}) {
      checkOpen()
      const { from, to } = readRange(options, growth.position)
      for await (const { recorded } of records(database, from, to)) yield recorded
    },
    async *chain(range = {}) {
      checkOpen()
      const { from, to } = readRange(range, growth.position)
      yield* records(database, from, to)
    },
    async *pages(range = {}) {
      checkOpen()
      const { from, to } = readRange(range, growth.position)
      yield* recordPages(database, from, to)
    },
    follow: (options = {}) => follow(store, growth, options),
    async head(stream) {
      checkOpen()
      return stream === undefined
        ? growth.position
        : (await writer.index.head(checkStreamName(stream))).version
    },
    async *streams(options = {}) {
      checkOpen()
      yield* listStreams(database, writer.index, options)
    },
    [Symbol.asyncDispose]() {
      closing ??= close()
      return closing
    },
  }
  return store
}
