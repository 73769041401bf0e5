/** A log read in pages of facts rather than one by one: faster for readers of the whole log. */
import type { EventStore } from '../event-store.ts'
import type { ChainedStore, ChainRange } from './chained-store.ts'
import type { DecodedRecord } from './record.ts'

/** A fact, with its commit note and seal if the store keeps them. */
export type PagedFact = Pick<DecodedRecord, 'recorded'> & Partial<Pick<DecodedRecord, 'note' | 'seal'>>

export function factPages(store: EventStore, range: ChainRange = {}): AsyncIterable<readonly PagedFact[]> {
  return (store as Partial<ChainedStore>).pages?.(range) ?? single(store, range)
}

async function* single(store: EventStore, range: ChainRange): AsyncGenerator<readonly PagedFact[]> {
  for await (const recorded of store.readAll(range)) yield [{ recorded }]
}
