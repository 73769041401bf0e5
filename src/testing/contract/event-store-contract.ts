/** What every event store promises, as cases for any test runner. Ours run it; an author of another store can, too. */
import type { EventStore } from '../../store/event-store.ts'
import { appending, commitIds } from './appending.ts'
import { followingCases } from './following.ts'
import { bodies, listing, reading } from './reading.ts'
import { snapshots } from './snapshots.ts'

/** One test of the contract, for any test runner. */
export interface ContractCase {
  readonly title: string
  run(): Promise<void>
}

/**
 * The contract of an {@link EventStore}. `make` gives a new, empty store each time; it is closed after its case.
 *
 * @example
 * for (const { title, run } of eventStoreContract(() => memoryStore())) test(title, run)
 */
export function eventStoreContract(make: () => Promise<EventStore> | EventStore): readonly ContractCase[] {
  return Object.entries({
    ...appending,
    ...commitIds,
    ...reading,
    ...followingCases,
    ...listing,
    ...bodies,
    ...snapshots,
  }).map(([title, check]) => ({
    title,
    async run() {
      await using store = await make()
      await check(store)
    },
  }))
}
