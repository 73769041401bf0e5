/** The store's contract: snapshots, which are a cache and no more. */
import assert from 'node:assert/strict'
import type { Checks } from './kit.ts'

const snapshot = (version: number) => ({
  version,
  factId: `fact-${version}`,
  fingerprint: 'a-fold',
  state: { value: 'idle', context: { counted: version, names: ['a', 'é', '\u2028'] } },
})

export const snapshots: Checks = {
  async 'A snapshot comes back as it was saved, and the last one counts'({ snapshots }) {
    await snapshots.save('agent/a', snapshot(3))
    await snapshots.save('agent/a', snapshot(7))
    await snapshots.save('agent/b', snapshot(1))
    assert.deepEqual(await snapshots.load('agent/a'), snapshot(7))
    assert.deepEqual(await snapshots.load('agent/b'), snapshot(1))
  },
  async 'Where nothing was saved there is no snapshot, and none of a stream whose name begins alike'({
    snapshots,
  }) {
    await snapshots.save('agent/ab', snapshot(1))
    assert.equal(await snapshots.load('agent/a'), undefined)
  },
  async 'All snapshots can be forgotten, and the facts stay'(store) {
    await store.append('agent/a', [{ type: 'Counted', v: 1, data: { n: 1 } }])
    await store.snapshots.save('agent/a', snapshot(1))
    await store.snapshots.clear()
    assert.equal(await store.snapshots.load('agent/a'), undefined)
    assert.equal(await store.head('agent/a'), 1)
  },
}
