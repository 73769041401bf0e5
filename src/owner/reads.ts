/** An owner's answers to readers: the reading half of the `EventStore` port, one address per method. */
import { Mailbox } from '../actors/engine/mailbox.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { defined } from '../events/json.ts'
import { Counters, metricsText } from '../history/metrics.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { recordValue } from '../store/level/entries.ts'
import type { Followers } from './followers.ts'

/** A list, in values or as pages of lines; one value, or a text. */
export type OwnerAnswer =
  | { readonly values: AsyncIterable<unknown> }
  | { readonly pages: AsyncIterable<Buffer> }
  | { readonly value: unknown }
  | { readonly text: string; readonly type: string }

/** The text format of Prometheus. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** `signal` aborts when the reader disconnects. */
export type Route = (query: URLSearchParams, signal: AbortSignal) => Promise<OwnerAnswer> | OwnerAnswer

export function readingRoutes(store: ChainedStore, followers: Followers): Readonly<Record<string, Route>> {
  const counters = new Counters()
  /** One scrape at a time: they share the counters. */
  const scrapes = new Mailbox()
  return {
    '/metrics': async () => ({
      text: await scrapes.post(() => metricsText(store, counters)),
      type: METRICS_TYPE,
    }),
    '/head': async (query) => ({ value: { head: await store.head(query.get('stream') ?? undefined) } }),
    '/facts': (query) => {
      const stream = query.get('stream')
      if (stream === null) return { values: store.readAll(range(query)) }
      const direction = (query.get('direction') ?? 'forwards') as 'forwards' | 'backwards'
      return { values: store.read(stream, { ...range(query), direction }) }
    },
    '/follow': (query, signal) => ({
      pages: followers.follow(number(query, 'after') ?? 0, selection(query), signal),
    }),
    '/records': (query) => ({ values: records(store, range(query)) }),
    '/streams': (query) => ({
      values: store.streams({ prefix: query.get('prefix') ?? '', open: query.get('open') === 'true' }),
    }),
    '/snapshot': async (query) => ({
      value: { snapshot: (await store.snapshots.load(query.get('stream') ?? '')) ?? null },
    }),
    '/blob': async (query) => {
      const reference = { sha256: query.get('sha256') ?? '', bytes: number(query, 'bytes') ?? 0 }
      return { text: await store.blobs.get(reference), type: 'text/plain; charset=utf-8' }
    },
  }
}

/** The records as the log holds them, for readers that verify them again. */
async function* records(store: ChainedStore, range: { after?: number; to?: number }) {
  for await (const record of store.chain(range)) yield recordValue(record)
}

function range(query: URLSearchParams) {
  return defined({ after: number(query, 'after'), to: number(query, 'to'), limit: number(query, 'limit') })
}

const selection = (query: URLSearchParams) =>
  defined({
    stream: query.get('stream') ?? undefined,
    correlationId: query.get('correlationId') ?? undefined,
  })

function number(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidInputError({ what: name, problem: 'it is not a whole number' })
}
