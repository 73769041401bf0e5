/** The contract of every event store, as cases for any test runner. Authors of other stores can run it too. */
import type { EventStore } from '../../store/event-store.ts'
import { appending, commitIds } from './appending.ts'
import { followingCases } from './following.ts'
import { fencing, groups } from './groups.ts'
import { bodies, listing, reading } from './reading.ts'
import { snapshots } from './snapshots.ts'

/** One test case of the contract. */
export interface ContractCase {
  readonly title: string
  run(): Promise<void>
}

/**
 * The contract of an {@link EventStore}. `make` creates a new, empty store for each case, which closes it at its end.
 *
 * @example
 * for (const { title, run } of eventStoreContract(() => memoryStore())) test(title, run)
 */
export function eventStoreContract(make: () => Promise<EventStore> | EventStore): readonly ContractCase[] {
  return Object.entries({
    ...appending,
    ...commitIds,
    ...groups,
    ...fencing,
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
