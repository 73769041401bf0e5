/**
 * The log of a directory, to be read for as long as one likes: through its owner while there is one, from a view of its
 * files otherwise. Owners come and go, and none is refused because of a reader.
 */
import type { Recorded } from '../events/envelope.ts'
import { OwnerUnavailable } from '../events/errors/owner.ts'
import { ClosedError } from '../events/errors/usage.ts'
import { defined } from '../events/json.ts'
import { refusedWrites } from '../store/care/view.ts'
import type { ReadOptions } from '../store/event-store.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import type { LevelStoreOptions } from '../store/level/store.ts'
import { isDatabaseUrl } from '../store/postgres/url.ts'
import { followDatabase, followLog, type LiveOptions, openLog, recordedHead } from './live-log.ts'

interface Opened {
  readonly store: ChainedStore
  /** The last position of a view, which does not grow; null through an owner. */
  readonly viewedTo: number | null
  /** How many readers are in the middle of something. */
  readers: number
  isReplaced: boolean
}

/**
 * @param place The directory, or the URL of a database, which has no owner.
 * @throws what connecting can throw, and what the store's damage does
 */
export async function readingStore(
  place: string,
  { onOwner, ...options }: LevelStoreOptions & Pick<LiveOptions, 'onOwner'> = {},
): Promise<ChainedStore> {
  if (isDatabaseUrl(place)) {
    const { store } = await openLog(place, options)
    return { ...store, follow: (following) => followDatabase(store, following) }
  }
  const baseDir = place
  const closing = new AbortController()
  let opening: Promise<Opened> | undefined

  const open = async (): Promise<Opened> => {
    const { store, owner } = await openLog(baseDir, options)
    return { store, viewedTo: owner === null ? await store.head() : null, readers: 0, isReplaced: false }
  }
  const closeUnused = async (opened: Opened) => {
    if (opened.isReplaced && opened.readers === 0) await opened.store[Symbol.asyncDispose]()
  }
  const replace = async (opened: Opened) => {
    if (opened.isReplaced) return
    opened.isReplaced = true
    opening = undefined
    await closeUnused(opened)
  }
  /**
   * What to read from now: a view that lags behind the log is replaced, unless it was opened since this was asked. Beside
   * an owner that keeps writing, every view lags.
   */
  const current = async (isOpenedSince = opening === undefined): Promise<Opened> => {
    if (closing.signal.aborted) throw new ClosedError({ what: 'store' })
    opening ??= open().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    const opened = await opening
    if (isOpenedSince) return opened
    if (opened.viewedTo === null || opened.viewedTo >= (await recordedHead(baseDir))) return opened
    await replace(opened)
    return current(true)
  }
  /** Works on the log. When its owner ends in the meantime, `retry` begins again where it was. */
  async function* through<T>(read: (store: ChainedStore) => AsyncIterable<T>, canRetry: () => boolean) {
    for (;;) {
      const opened = await current()
      opened.readers++
      try {
        yield* read(opened.store)
        return
      } catch (error) {
        if (!(error instanceof OwnerUnavailable)) throw error
        await replace(opened)
        if (!canRetry()) throw error
      } finally {
        opened.readers--
        await closeUnused(opened)
      }
    }
  }
  const once = async <T>(work: (store: ChainedStore) => Promise<T>): Promise<T> => {
    for await (const value of through(async function* (store) {
      yield await work(store)
    }, always))
      return value
    throw new ClosedError({ what: 'store' })
  }
  /** A list in the order of its positions continues after the last one that was read. */
  async function* onwards<T>(after: number, read: (store: ChainedStore, after: number) => AsyncIterable<T>) {
    let position = after
    const values = through((store) => read(store, position), always)
    for await (const value of values) {
      position++
      yield value
    }
  }
  /** Any other list begins anew, unless some of it was read. */
  async function* list<T>(read: (store: ChainedStore) => AsyncIterable<T>) {
    let isBegun = false
    for await (const value of through(read, () => !isBegun)) {
      isBegun = true
      yield value
    }
  }

  const { storeId, epoch, forReading } = (await current()).store
  const refused = refusedWrites(baseDir)
  return {
    storeId,
    epoch,
    forReading,
    ...refused,
    blobs: {
      put: refused.append,
      get: async (reference) => once((store) => store.blobs.get(reference)),
    },
    snapshots: {
      load: async (stream) => once((store) => store.snapshots.load(stream)),
      // A cache of the owner's.
      async save() {},
      async clear() {},
    },
    read: (stream: string, range: ReadOptions = {}) => list((store) => store.read(stream, range)),
    readAll: ({ after = 0, limit, ...range } = {}) =>
      onwards(after, (store, from) =>
        store.readAll({
          ...range,
          after: from,
          ...(limit === undefined ? {} : { limit: limit - (from - after) }),
        }),
      ),
    chain: ({ after = 0, ...range } = {}) =>
      onwards(after, (store, from) => store.chain({ ...range, after: from })),
    streams: (range) => list((store) => store.streams(range)),
    head: async (stream) => once((store) => store.head(stream)),
    async *follow({ after = 0, signal, only } = {}): AsyncGenerator<Recorded> {
      const ended = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal
      yield* followLog(baseDir, defined({ after, signal: ended, only, onOwner }))
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      const opened = await opening?.catch(() => undefined)
      if (opened) await replace(opened)
    },
  }
}

const always = () => true
