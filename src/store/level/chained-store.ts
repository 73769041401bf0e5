/** A store whose facts vouch for themselves and for the one before them: what a proven copy can be made of. */
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { EventStore } from '../event-store.ts'
import type { DecodedRecord } from './record.ts'

export interface ChainedStore extends EventStore {
  /** It was made from a part of a log, or from a redacted one: nothing can be appended. */
  readonly forReading: boolean
  /** The records of a range of positions as the log holds them, each one verified and linked to the one before. */
  chain(range?: ChainRange): AsyncIterable<DecodedRecord>
  /** The same, many at a time: for whoever reads all of it. */
  pages?(range?: ChainRange): AsyncIterable<readonly DecodedRecord[]>
}

export interface ChainRange {
  readonly after?: number
  readonly to?: number
}

/** Throws {@link InvalidInputError} where a store has no chain: one in memory, say. */
export function chainedStore(store: EventStore): ChainedStore {
  if ('chain' in store) return store as ChainedStore
  throw new InvalidInputError({
    what: 'The store',
    problem: 'it has no hash chain to verify a copy with',
    hint: 'Use levelStore.',
  })
}

/** Whether a store was made for looking at only. */
export const isForReading = (store: EventStore): boolean =>
  (store as Partial<ChainedStore>).forReading ?? false
