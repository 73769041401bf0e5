/** Reading the log: pages of records, each verified, none missing. */
import type { Recorded } from '../../events/envelope.ts'
import { CorruptRecord, SequenceGap } from '../../events/errors/store.ts'
import { checkStreamName } from '../../events/ids.ts'
import type { EventStore, FollowOptions, ReadOptions, StreamHead, StreamsOptions } from '../event-store.ts'
import { fileBlobs } from '../file-blobs.ts'
import { Following, type Watermark } from '../follow.ts'
import { chunks, type ReadRange, readRange } from '../read-range.ts'
import type { ChainedStore, ChainRange } from './chained-store.ts'
import type { LogDatabase } from './database.ts'
import {
  type DecodedRecord,
  decodeIndexValue,
  decodeRecord,
  type HeadEntry,
  headKey,
  lostBodyKey,
  nameIn,
  numberIn,
  openKey,
  type RecordSource,
  recordKey,
  startingWith,
} from './entries.ts'
import { logSnapshots } from './snapshots.ts'
import type { StreamIndex } from './stream-index.ts'

/** How many records of a stream are fetched at once. They are not adjacent in the log. */
const STREAM_PAGE = 256

/** A log that is open, as far as reading it goes. */
export interface ReadableLog {
  readonly database: LogDatabase
  readonly blobsPath: string
  readonly watermark: Watermark
  /** The current index: a recovery replaces it. */
  index(): StreamIndex
  /** Throws {@link ClosedError}. */
  checkOpen(): void
  /** Resolves when no append is waiting. */
  idle?(): Promise<void>
}

/** Everything of a store but appending to it, and closing it. */
export function logReading({ database, blobsPath, watermark, index, checkOpen, idle }: ReadableLog) {
  const isLost = async (sha256: string) => (await database.get(lostBodyKey(sha256))) !== undefined
  const reading = {
    blobs: fileBlobs(blobsPath, isLost),
    snapshots: logSnapshots(database),
    async *read(stream: string, options: ReadOptions = {}) {
      checkOpen()
      yield* readStream(database, index(), checkStreamName(stream), options)
    },
    async *readAll(options: Omit<ReadOptions, 'direction'> = {}) {
      checkOpen()
      const { from, to } = readRange(options, watermark.position)
      for await (const { recorded } of records(database, from, to)) yield recorded
    },
    async *chain(range: ChainRange = {}) {
      checkOpen()
      const { from, to } = readRange(range, watermark.position)
      yield* records(database, from, to)
    },
    async *pages(range: ChainRange = {}) {
      checkOpen()
      const { from, to } = readRange(range, watermark.position)
      yield* recordPages(database, from, to)
    },
    follow: (options?: FollowOptions) => following.facts(options),
    followPages: (options?: FollowOptions) => following.pages(options),
    async head(stream?: string) {
      checkOpen()
      return stream === undefined ? watermark.position : (await index().head(checkStreamName(stream))).version
    },
    async *streams(options: StreamsOptions = {}) {
      checkOpen()
      yield* listStreams(database, index(), options)
    },
    async count(kind: string) {
      checkOpen()
      return index().count(kind)
    },
  } satisfies Partial<ChainedStore>
  const following = new Following(reading, watermark, idle)
  return reading
}

/** The records of a range of positions, in order, each linked to its predecessor. */
export async function* records(
  database: LogDatabase,
  from: number,
  to: number,
): AsyncGenerator<DecodedRecord, void, undefined> {
  for await (const page of recordPages(database, from, to)) for (const record of page) yield record
}

/** The same in pages: over many records, the cost of a generator step for each is noticeable. */
const recordPages = (
  database: LogDatabase,
  from: number,
  to: number,
): AsyncGenerator<readonly DecodedRecord[], void, undefined> =>
  linkedPages(database, from, to, (first) => database.page({ gte: recordKey(first), lte: recordKey(to) }))

/** @param load The entries of a page that begins at a position: at least one, if there is any up to `to`. */
export async function* linkedPages(
  source: RecordSource,
  from: number,
  to: number,
  load: (first: number) => Promise<readonly (readonly [key: string, value: string])[]>,
): AsyncGenerator<readonly DecodedRecord[], void, undefined> {
  const { path: file } = source
  let position = from
  let previousHash: string | null = null
  let page = position <= to ? load(position) : null
  while (page !== null) {
    const entries = await page
    const last = entries.at(-1)
    if (last === undefined) throw new SequenceGap({ stream: null, expected: position, found: to, file })
    const next = numberIn(last[0]) + 1
    page = next <= to ? load(next) : null
    // The error belongs to the reader of that page; if there is none, it must not count as unhandled.
    page?.catch(() => {})
    const decoded: DecodedRecord[] = []
    try {
      for (const [key, value] of entries) {
        const found = numberIn(key)
        if (found !== position) throw new SequenceGap({ stream: null, expected: position, found, file })
        const record = decodeRecord(source, position, value)
        if (previousHash !== null && record.previousHash !== previousHash) {
          throw new CorruptRecord({ position, key, file, problem: 'it does not follow the previous record' })
        }
        previousHash = record.hash
        position++
        decoded.push(record)
      }
    } catch (error) {
      // The records before the damage are intact.
      yield decoded
      throw error
    }
    yield decoded
  }
}

/** The facts of a stream, found by the index. */
export async function* readStream(
  database: LogDatabase,
  index: StreamIndex,
  stream: string,
  options: ReadOptions,
): AsyncGenerator<Recorded, void, undefined> {
  const head = await index.head(stream)
  const range = readRange(options, head.version)
  for await (const { piece, positions, values } of readAhead(chunks(range, STREAM_PAGE), (piece) =>
    fetchPiece(database, index, stream, piece),
  )) {
    for (let offset = 0; offset < positions.length; offset++) {
      const at = piece.backwards ? positions.length - 1 - offset : offset
      yield decodeIndexed(database, stream, piece.from + at, positions[at] ?? 0, values[at])
    }
  }
}

/** Runs `load` for each request in turn, one ahead of the reader. Loads nothing more once the reader has stopped. */
async function* readAhead<Request, Page>(
  requests: Iterable<Request>,
  load: (request: Request) => Promise<Page>,
): AsyncGenerator<Page, void, undefined> {
  let next: Promise<Page> | null = null
  for (const request of requests) {
    const current = next
    next = load(request)
    // The error belongs to the reader of that page; if there is none, it must not count as unhandled.
    next.catch(() => {})
    if (current) yield await current
  }
  if (next) yield await next
}

async function fetchPiece(database: LogDatabase, index: StreamIndex, stream: string, piece: ReadRange) {
  const positions = await index.positions(stream, piece.from, piece.to)
  return { piece, positions, values: await database.getMany(positions.map(recordKey)) }
}

export function decodeIndexed(
  source: RecordSource,
  stream: string,
  version: number,
  position: number,
  value: string | undefined,
): Recorded {
  const { path: file } = source
  if (value === undefined) {
    throw new CorruptRecord({ position, key: recordKey(position), file, problem: 'it is missing' })
  }
  const { recorded } = decodeRecord(source, position, value)
  if (recorded.stream === stream && recorded.version === version) return recorded
  const problem = `the index has it as version ${version} of ${stream}, but it is version ${recorded.version} of ${recorded.stream}`
  throw new CorruptRecord({ position, key: recordKey(position), file, problem })
}

/** The streams by name: those in the index on disk, merged with the unflushed ones in memory. */
export async function* listStreams(
  database: LogDatabase,
  index: StreamIndex,
  { prefix = '', open = false }: StreamsOptions,
): AsyncGenerator<StreamHead, void, undefined> {
  const recent = index.unflushedStreams(prefix)
  const onDisk = open ? openHeads(database, index, prefix) : allHeads(database, prefix)
  let next = 0
  for await (const { stream, version, summary } of onDisk) {
    for (let other = recent[next]; other !== undefined && other < stream; other = recent[++next]) {
      yield* listed(other, await index.head(other), open)
    }
    if (recent[next] === stream) next++
    yield* listed(stream, index.cachedHead(stream) ?? { version, summary }, open)
  }
  for (const other of recent.slice(next)) yield* listed(other, await index.head(other), open)
}

function* listed(stream: string, { version, summary }: Omit<StreamHead, 'stream'>, open: boolean) {
  if (!open || summary?.open) yield { stream, version, summary }
}

async function* allHeads(database: LogDatabase, prefix: string): AsyncGenerator<StreamHead, void, undefined> {
  const range = startingWith(headKey(prefix))
  let page = await database.page(range)
  while (page.length > 0) {
    for (const [key, value] of page) {
      yield { stream: nameIn(key), ...decodeIndexValue<HeadEntry>(key, value, database.path) }
    }
    page = await database.page({ ...range, gte: `${page.at(-1)?.[0]}\x00` })
  }
}

async function* openHeads(
  database: LogDatabase,
  index: StreamIndex,
  prefix: string,
): AsyncGenerator<StreamHead, void, undefined> {
  const range = startingWith(openKey(prefix))
  let page = await database.keys(range)
  while (page.length > 0) {
    for (const stream of page.map(nameIn)) yield { stream, ...(await index.head(stream)) }
    page = await database.keys({ ...range, gte: `${page.at(-1)}\x00` })
  }
}

/** A fact, with its commit note and seal if the store keeps them. */
export type PagedFact = Pick<DecodedRecord, 'recorded'> & Partial<Pick<DecodedRecord, 'note' | 'seal'>>

export function factPages(store: EventStore, range: ChainRange = {}): AsyncIterable<readonly PagedFact[]> {
  return (store as Partial<ChainedStore>).pages?.(range) ?? single(store, range)
}

async function* single(store: EventStore, range: ChainRange): AsyncGenerator<readonly PagedFact[]> {
  for await (const recorded of store.readAll(range)) yield [{ recorded }]
}
