/**
 * The durable log in a database of PostgreSQL, for one process or for several.
 *
 * P1. An append is one statement, and durable once it resolves: it waits for the disk whatever the server's settings say.
 * P2. Every append locks one row, so positions have no gaps and become visible in their order, from whatever process.
 * P3. Each record holds the hash of the previous one: the same text, and the same chain, as on LevelDB.
 * P4. A statement whose answer was lost is sent again. A batch has a number, so it is written once.
 * P5. A process that has lost the store, or a stream, writes nothing: what it is told follows from the log, not from a lock.
 */
import { type Clock, systemClock } from '../../clock.ts'
import { StoreForReading } from '../../events/errors/archive.ts'
import type { StoreLockLost } from '../../events/errors/store.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { checkStreamName } from '../../events/ids.ts'
import { callListener } from '../../events/listener.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import { appendGroup, DEFAULT_MAX_RECORD_BYTES, perAppend } from '../append-request.ts'
import type { StreamAppend } from '../event-store.ts'
import { Watermark } from '../follow.ts'
import type { ChainedStore } from '../level/chained-store.ts'
import { type DatabaseOptions, PostgresDatabase } from './database.ts'
import { tableReading } from './reader.ts'
import { PostgresSession, type StoreAccess } from './session.ts'
import { type ClaimHolder, PostgresWriter } from './writer.ts'

const A_MINUTE_MS = 60_000

/** Options of `postgresStore`. */
export interface PostgresStoreOptions extends DatabaseOptions {
  /** Default: `exclusive`. */
  readonly access?: StoreAccess
  readonly clock?: Clock
  /** The largest accepted record, in bytes. Default 1 MiB. */
  readonly maxRecordBytes?: number
  /** Called when the store is lost: it has stopped, and this process should end its work. */
  readonly onLost?: (error: StoreLockLost) => void
}

/** What workers of a cluster do with their streams beyond that. */
export interface PostgresStore extends ChainedStore {
  /**
   * Claims a stream and returns the token, unless another worker has it that may be at work for it: then who that is.
   *
   * @param over The token of a worker that has ended all that it did.
   */
  claimAfter(stream: string, over?: string): Promise<string | ClaimHolder>
  /** Gives a claim back: nothing is done for the stream any more. */
  release(stream: string, token: string): Promise<void>
}

/**
 * Opens the log in a database, and makes its tables if there are none. By default, one process at a time: a second one gets
 * {@link StoreInUse}. Needs the package `pg`, and PostgreSQL 14 or newer.
 *
 * @param url `postgresql://USER@HOST:5432/DATABASE`. What it leaves out is taken from `PGPASSWORD`, `PGHOST` and so on.
 * @throws StoreNotOpened, StoreInUse, UnsupportedFormat, InvalidInputError
 * @example
 * await using store = await postgresStore('postgresql://localhost/agents')
 * await using orchestrator = await Orchestrator.open({ store })
 */
export function postgresStore(url: string, options: PostgresStoreOptions = {}): Promise<ChainedStore> {
  return openPostgresStore(url, options)
}

/** The same, as a worker of a cluster has it. */
export async function openPostgresStore(url: string, options: PostgresStoreOptions): Promise<PostgresStore> {
  checkArgument('The options of postgresStore', options, 'an object')
  const { access = 'exclusive', clock = systemClock, maxRecordBytes = DEFAULT_MAX_RECORD_BYTES } = options
  const database = await PostgresDatabase.at(url, options)
  const watermark = new Watermark()
  const lost = new AbortController()
  const session = await PostgresSession.open({
    ...{ database, access, watermark },
    onLost(error) {
      lost.abort(error)
      callListener(options.onLost, error)
    },
  }).catch(async (error) => {
    await database.close()
    throw error
  })
  const { storeId, epoch, forReading } = session
  let closing: Promise<void> | null = null
  const checkOpen = () => {
    if (closing) throw new ClosedError({ what: 'store' })
  }
  const idle = () => writer.idle()
  const reading = tableReading({ database, storeId, watermark, checkOpen, idle })
  const writer = new PostgresWriter({ database, session, clock, reading })
  const checkWritable = () => {
    checkOpen()
    if (forReading || access === 'reading')
      throw new StoreForReading({ path: database.path, imported: forReading })
  }
  const groupOf = (appends: readonly StreamAppend[]) => {
    checkWritable()
    return appendGroup(appends, maxRecordBytes)
  }
  const close = async () => {
    // What is left are connections that keep no process alive, and it must not end before they have.
    const letProcessEnd = systemClock.after(A_MINUTE_MS, () => {})
    try {
      await writer.idle()
      watermark.end()
      await session.close()
      await database.close()
    } finally {
      letProcessEnd()
    }
  }
  return {
    storeId,
    epoch,
    forReading,
    lost: lost.signal,
    ...reading,
    blobs: {
      ...reading.blobs,
      async put(text) {
        checkWritable()
        return reading.blobs.put(text)
      },
    },
    async append(stream, facts, appendOptions = {}) {
      return writer.append(groupOf([{ ...appendOptions, stream, facts }]))
    },
    async appendAll(appends) {
      const group = groupOf(appends)
      return perAppend(group, await writer.append(group))
    },
    async claim(stream) {
      checkWritable()
      return writer.claim(checkStreamName(stream))
    },
    async claimAfter(stream, over) {
      checkWritable()
      return writer.claimAfter(checkStreamName(stream), over)
    },
    async release(stream, token) {
      checkWritable()
      await writer.release(stream, token)
    },
    [Symbol.asyncDispose]() {
      closing ??= close()
      return closing
    },
  }
}
