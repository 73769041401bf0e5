/** The store's contract for following the log, from its history to live facts. */
import assert from 'node:assert/strict'
import type { Recorded } from '../../events/envelope.ts'
import { all, type Checks, counted, countedTo, first, numbers, positions, upTo } from './kit.ts'

export const followingCases: Checks = {
  async 'Following yields the existing facts, and then new ones'(store) {
    await store.append('agent/a', countedTo(2))
    const following = first(store.follow(), 4)
    await store.append('agent/b', countedTo(2))
    assert.deepEqual(positions(await following), [1, 2, 3, 4])
  },
  async 'Following from a position yields only facts after it'(store) {
    await store.append('agent/a', countedTo(3))
    const following = first(store.follow({ after: 2 }), 2)
    await store.append('agent/a', [counted(4)])
    assert.deepEqual(numbers(await following), [3, 4])
  },
  async 'There is no gap and no duplicate between history and live facts, during concurrent appends'(store) {
    const count = 600
    await store.append('agent/a0', countedTo(100))
    const followers = upTo(5).map((follower) =>
      first(store.follow({ after: follower * 10 }), count - follower * 10),
    )
    const appender = async (name: number) => {
      for (const n of upTo(50)) await store.append(`agent/a${name}`, [counted(n)])
    }
    await Promise.all(upTo(10).map(appender))
    for (const [index, followed] of (await Promise.all(followers)).entries()) {
      assert.deepEqual(positions(followed), upTo(count, (index + 1) * 10 + 1))
    }
    assert.deepEqual(await followers[0], await all(store.readAll({ after: 10 })))
  },
  async 'Following ends when its signal aborts, even while it waits'(store) {
    await store.append('agent/a', countedTo(2))
    const abort = new AbortController()
    const seen: Recorded[] = []
    for await (const fact of store.follow({ signal: abort.signal })) {
      seen.push(fact)
      if (seen.length === 2) queueMicrotask(() => abort.abort())
    }
    assert.deepEqual(numbers(seen), [1, 2])
    assert.deepEqual(await all(store.follow({ signal: AbortSignal.abort() })), [])
  },
  async 'Following ends when the store is closed'(store) {
    await store.append('agent/a', countedTo(2))
    let seen = 0
    for await (const _ of store.follow()) {
      seen++
      if (seen === 2) void store[Symbol.asyncDispose]()
    }
    assert.equal(seen, 2)
  },
}
