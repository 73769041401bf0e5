/** A store with a hash chain: each record proves itself and its predecessor, so copies can be verified. */
import type { Recorded } from '../../events/envelope.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { EventStore, FollowOptions } from '../event-store.ts'
import type { DecodedRecord } from './entries.ts'

export interface ChainedStore extends EventStore {
  readonly forReading: boolean
  /** The base directory that it is in. Absent if it is in none, such as a log in an archive. */
  readonly baseDir?: string
  /** The records of a range of positions, each verified and linked to its predecessor. */
  chain(range?: ChainRange): AsyncIterable<DecodedRecord>
  /** The same in pages, for reading the whole log. */
  pages?(range?: ChainRange): AsyncIterable<readonly DecodedRecord[]>
  /** `follow` in pages. Followers at the same place get the same page. */
  followPages?(options?: FollowOptions): AsyncIterable<readonly Recorded[]>
}

export interface ChainRange {
  readonly after?: number
  readonly to?: number
}

/** @throws InvalidInputError if the store has no chain, as in memory */
export function chainedStore(store: EventStore): ChainedStore {
  if ('chain' in store) return store as ChainedStore
  throw new InvalidInputError({
    what: 'The store',
    problem: 'it has no hash chain to verify a copy with',
    hint: 'Use levelStore.',
  })
}
