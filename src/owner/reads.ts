/** What an owner answers to readers: everything of the `EventStore` port that reads, address by address. */
import { Mailbox } from '../actors/engine/mailbox.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { Counters, metricsText } from '../history/metrics.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { recordValue } from '../store/level/record.ts'
import type { Followers } from './followers.ts'

/** A list, line by line, or one value. `signal` aborts when the reader has gone, or has seen enough. */
export type OwnerAnswer =
  | { readonly values: AsyncIterable<unknown> }
  | { readonly value: unknown }
  | { readonly text: string; readonly type: string }

/** Of the text format of Prometheus. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export type Route = (query: URLSearchParams, signal: AbortSignal) => Promise<OwnerAnswer> | OwnerAnswer

export function readingRoutes(store: ChainedStore, followers: Followers): Readonly<Record<string, Route>> {
  const counters = new Counters()
  /** One after the other: they share what has been counted. */
  const countings = new Mailbox()
  return {
    '/metrics': async () => ({
      text: await countings.post(() => metricsText(store, counters)),
      type: METRICS_TYPE,
    }),
    '/head': async (query) => ({ value: { head: await store.head(query.get('stream') ?? undefined) } }),
    '/facts': (query) => {
      const stream = query.get('stream')
      if (stream === null) return { values: store.readAll(range(query)) }
      const direction = query.get('direction') === 'backwards' ? 'backwards' : 'forwards'
      return { values: store.read(stream, { ...range(query), direction }) }
    },
    '/follow': (query, signal) => ({ values: followers.follow(number(query, 'after') ?? 0, signal) }),
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

/** The records as the log holds them: who reads them verifies them again. */
async function* records(store: ChainedStore, range: { after?: number; to?: number }) {
  for await (const record of store.chain(range)) yield recordValue(record)
}

function range(query: URLSearchParams) {
  const [after, to, limit] = [number(query, 'after'), number(query, 'to'), number(query, 'limit')]
  return {
    ...(after === undefined ? {} : { after }),
    ...(to === undefined ? {} : { to }),
    ...(limit === undefined ? {} : { limit }),
  }
}

function number(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidInputError({ what: name, problem: 'it is not a whole number' })
}
