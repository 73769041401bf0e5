/** Building blocks for the cases of the store's contract. */
import assert from 'node:assert/strict'
import type { NewFact, Recorded } from '../../events/envelope.ts'
import { VersionConflict } from '../../events/errors/store.ts'
import type { EventStore } from '../../store/event-store.ts'

/** Cases by title. Each gets a new, empty store. */
export type Checks = Record<string, (store: EventStore) => Promise<void>>

export const counted = (n: number): NewFact => ({ type: 'Counted', v: 1, data: { n } })

export const countedTo = (last: number): NewFact[] =>
  Array.from({ length: last }, (_, index) => counted(index + 1))

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

/** The first `count` items of an endless sequence. */
export async function first<Item>(items: AsyncIterable<Item>, count: number): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) {
    found.push(item)
    if (found.length === count) break
  }
  return found
}

export const numbers = (facts: readonly Recorded[]) => facts.map(({ data }) => data.n)
export const versions = (facts: readonly Recorded[]) => facts.map(({ version }) => version)
export const positions = (facts: readonly Recorded[]) => facts.map(({ position }) => position)
export const upTo = (last: number, from = 1) =>
  Array.from({ length: last - from + 1 }, (_, index) => from + index)

export const isConflict = (expected: number, actual: number) => (error: unknown) => {
  assert.ok(error instanceof VersionConflict, `a VersionConflict, not ${String(error)}`)
  assert.deepEqual([error.expected, error.actual], [expected, actual])
  return true
}
