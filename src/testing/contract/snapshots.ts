/** The store's contract for snapshots, which are only a cache. */
import assert from 'node:assert/strict'
import type { Checks } from './kit.ts'

const snapshot = (version: number) => ({
  version,
  factId: `fact-${version}`,
  fingerprint: 'a-fold',
  state: { value: 'idle', context: { counted: version, names: ['a', 'é', '\u2028'] } },
})

export const snapshots: Checks = {
  async 'Loading a snapshot returns the last one that was saved'({ snapshots }) {
    await snapshots.save('agent/a', snapshot(3))
    await snapshots.save('agent/a', snapshot(7))
    await snapshots.save('agent/b', snapshot(1))
    assert.deepEqual(await snapshots.load('agent/a'), snapshot(7))
    assert.deepEqual(await snapshots.load('agent/b'), snapshot(1))
  },
  async 'A stream without a snapshot does not get that of a stream whose name begins with its own'({
    snapshots,
  }) {
    await snapshots.save('agent/ab', snapshot(1))
    assert.equal(await snapshots.load('agent/a'), undefined)
  },
  async 'Clearing the snapshots leaves the facts'(store) {
    await store.append('agent/a', [{ type: 'Counted', v: 1, data: { n: 1 } }])
    await store.snapshots.save('agent/a', snapshot(1))
    await store.snapshots.clear()
    assert.equal(await store.snapshots.load('agent/a'), undefined)
    assert.equal(await store.head('agent/a'), 1)
  },
}
