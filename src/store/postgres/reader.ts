/** Reading the log from its tables: pages of records, each verified, none missing. */
import type { Recorded } from '../../events/envelope.ts'
import { SequenceGap } from '../../events/errors/store.ts'
import { checkStreamName } from '../../events/ids.ts'
import type { FollowOptions, ReadOptions, StreamHead, StreamsOptions } from '../event-store.ts'
import { Following, type Watermark } from '../follow.ts'
import type { ChainedStore, ChainRange } from '../level/chained-store.ts'
import { type DecodedRecord, type RecordSource, recordKey } from '../level/entries.ts'
import { decodeIndexed, linkedPages } from '../level/reader.ts'
import { readRange } from '../read-range.ts'
import { tableBlobs, tableSnapshots } from './bodies.ts'
import type { PostgresDatabase } from './database.ts'

/** The most records, and bytes of them, on a page. */
const PAGE = 500
const PAGE_BYTES = 1024 * 1024
const STREAMS_PAGE = 1000

export interface ReadableTables {
  readonly database: PostgresDatabase
  readonly storeId: string
  readonly watermark: Watermark
  /** Throws {@link ClosedError}. */
  checkOpen(): void
  /** Resolves when no append of this process is waiting. */
  idle(): Promise<void>
}

/** Everything of a store but appending to it, and closing it. */
export function tableReading({ database, storeId, watermark, checkOpen, idle }: ReadableTables) {
  const source: RecordSource = { storeId, path: database.path }
  /** Up to which position to read: only what is not known yet is asked for. */
  const endFor = async ({ to = Number.POSITIVE_INFINITY }: ChainRange) =>
    to <= watermark.position ? watermark.position : lastPosition(database)
  const reading = {
    blobs: tableBlobs(database),
    snapshots: tableSnapshots(database),
    async *read(stream: string, options: ReadOptions = {}) {
      checkOpen()
      yield* readStream(database, source, checkStreamName(stream), options)
    },
    async *readAll(options: Omit<ReadOptions, 'direction'> = {}): AsyncGenerator<Recorded> {
      for await (const { recorded } of reading.chain(options)) yield recorded
    },
    async *chain(range: ReadOptions = {}): AsyncGenerator<DecodedRecord> {
      for await (const page of reading.pages(range)) yield* page
    },
    async *pages(range: ReadOptions = {}) {
      checkOpen()
      const { from, to } = readRange(range, await endFor(range))
      yield* tablePages(database, source, from, to)
    },
    follow: (options?: FollowOptions) => following.facts(options),
    followPages: (options?: FollowOptions) => following.pages(options),
    async head(stream?: string) {
      checkOpen()
      return stream === undefined ? lastPosition(database) : streamVersion(database, checkStreamName(stream))
    },
    async *streams(options: StreamsOptions = {}) {
      checkOpen()
      yield* listStreams(database, options)
    },
    async count(kind: string) {
      checkOpen()
      const [row] = await database.rows<{ count: string }>(
        'count',
        `select count from ${database.schema}.counts where kind = $1`,
        [kind],
      )
      return Number(row?.count ?? 0)
    },
  } satisfies Partial<ChainedStore>
  const following = new Following(reading, watermark, idle)
  return reading
}

export async function lastPosition(database: PostgresDatabase): Promise<number> {
  const text = `select position from ${database.schema}.store`
  const [row] = await database.rows<{ position: string }>('position', text)
  return Number(row?.position ?? 0)
}

async function streamVersion(database: PostgresDatabase, stream: string): Promise<number> {
  const text = `select version from ${database.schema}.streams where stream = $1`
  const [row] = await database.rows<{ version: string }>('version', text, [stream])
  return Number(row?.version ?? 0)
}

/** The records of a range of positions, in order, each linked to its predecessor. */
function tablePages(
  database: PostgresDatabase,
  source: RecordSource,
  from: number,
  to: number,
): AsyncGenerator<readonly DecodedRecord[], void, undefined> {
  const query = `select position, record from ${database.schema}.records where position between $1 and $2`
  const text = pageOf('position', query)
  return linkedPages(source, from, to, async (first) => {
    const page = await database.rows<{ position: string; record: string }>('page', text, [first, to])
    return page.map(({ position, record }) => [recordKey(Number(position)), record])
  })
}

/** The rows of a page: as many as its size allows, and at least one. */
const pageOf = (order: string, query: string) => `
  select * from (
    select *, sum(octet_length(record)) over (order by ${order}) - octet_length(record) as before
      from (${query} order by ${order} limit ${PAGE}) as candidates
  ) as sized where before < ${PAGE_BYTES} order by ${order}`

async function* readStream(
  database: PostgresDatabase,
  source: RecordSource,
  stream: string,
  options: ReadOptions,
) {
  const { schema } = database
  const { from, to, backwards } = readRange(options, await streamVersion(database, stream))
  const step = backwards ? -1 : 1
  const text = pageOf(
    backwards ? 'version desc' : 'version',
    `select version, position, record from ${schema}.records where stream = $1 and version between $2 and $3`,
  )
  const load = (first: number) =>
    database.rows<{ version: string; position: string; record: string }>(
      backwards ? 'stream backwards' : 'stream',
      text,
      backwards ? [stream, from, first] : [stream, first, to],
    )
  let version = backwards ? to : from
  let page = from <= to ? load(version) : null
  while (page) {
    const rows = await page
    const last = rows.at(-1)
    if (!last)
      throw new SequenceGap({ stream, expected: version, found: backwards ? from : to, file: source.path })
    const next = Number(last.version) + step
    page = next >= from && next <= to ? load(next) : null
    // The error belongs to the reader of that page; if there is none, it must not count as unhandled.
    page?.catch(() => {})
    for (const row of rows) {
      const found = Number(row.version)
      if (found !== version) throw new SequenceGap({ stream, expected: version, found, file: source.path })
      yield decodeIndexed(source, stream, version, Number(row.position), row.record)
      version += step
    }
  }
}

/** ASCII, as the names of streams are: DEL sorts after all of them. */
async function* listStreams(
  database: PostgresDatabase,
  { prefix = '', open = false }: StreamsOptions,
): AsyncGenerator<StreamHead, void, undefined> {
  if (/[^\x20-\x7e]/.test(prefix)) return
  const text = `select stream, version, summary from ${database.schema}.streams
    where stream > $1 and stream >= $2 and stream < $3 ${open ? 'and is_open' : ''}
    order by stream limit ${STREAMS_PAGE}`
  for (let after = ''; ; ) {
    const page = await database.rows<{ stream: string; version: string; summary: string | null }>(
      open ? 'open streams' : 'streams',
      text,
      [after, prefix, `${prefix}\x7f`],
    )
    for (const { stream, version, summary } of page)
      yield { stream, version: Number(version), summary: summary === null ? null : JSON.parse(summary) }
    if (page.length < STREAMS_PAGE) return
    after = page.at(-1)?.stream ?? ''
  }
}
