/** A log as it comes from the disk, many facts at a time: for whoever reads all of it. */

import type { EventStore } from '../event-store.ts'
import type { ChainedStore, ChainRange } from './chained-store.ts'
import type { DecodedRecord } from './record.ts'

/** A fact; of a store that keeps them, with what was committed with it. */
export type PagedFact = Pick<DecodedRecord, 'recorded'> & Partial<Pick<DecodedRecord, 'note' | 'seal'>>

export function factPages(store: EventStore, range: ChainRange = {}): AsyncIterable<readonly PagedFact[]> {
  return (store as Partial<ChainedStore>).pages?.(range) ?? single(store, range)
}

async function* single(store: EventStore, range: ChainRange): AsyncGenerator<readonly PagedFact[]> {
  for await (const recorded of store.readAll(range)) yield [{ recorded }]
}
