/** The store's contract for appends: what is written, when an append is refused, and commit ids. */
import assert from 'node:assert/strict'
import type { NewFact } from '../../events/envelope.ts'
import { InvalidFactError } from '../../events/errors/fact.ts'
import { CommitConflict, VersionConflict } from '../../events/errors/store.ts'
import { InvalidIdError } from '../../events/errors/usage.ts'
import {
  all,
  type Checks,
  counted,
  countedTo,
  isConflict,
  numbers,
  positions,
  upTo,
  versions,
} from './kit.ts'

export const appending: Checks = {
  async 'An append returns the fact with its position, its time and its id'(store) {
    const fact: NewFact = { ...counted(1), correlationId: 'task-1', causationId: 'fact-0' }
    const [recorded] = await store.append('agent/a', [fact])
    assert.ok(recorded)
    const { id, at, ...rest } = recorded
    assert.deepEqual(rest, {
      position: 1,
      stream: 'agent/a',
      version: 1,
      type: 'Counted',
      v: 1,
      data: { n: 1 },
      correlationId: 'task-1',
      causationId: 'fact-0',
      epoch: store.epoch,
    })
    assert.ok(id.length > 0)
    assert.equal(new Date(at).toISOString(), at)
  },
  async 'A reader gets what the append returned, whatever JSON it holds'(store) {
    const data = {
      text: 'ÄÖ \u0000 \n "quoted" \u2028 \u{1f600} \ud800',
      deep: [{ a: null }, [1.5, -1e300, true]],
      ['__proto__']: 1,
      '': {},
    }
    const appended = await store.append('agent/a', [{ type: 'Odd "type"\n', v: 3, data }])
    assert.deepEqual(await all(store.read('agent/a')), appended)
    assert.deepEqual(await all(store.readAll()), appended)
    assert.deepEqual(appended[0]?.data, JSON.parse(JSON.stringify(data)))
  },
  async 'A fact is copied when it is appended: changing it afterwards changes nothing'(store) {
    const data = { n: 1 }
    const appending = store.append('agent/a', [{ type: 'Counted', v: 1, data }])
    data.n = 2
    const [recorded] = await appending
    data.n = 3
    assert.deepEqual([recorded?.data.n, ...numbers(await all(store.read('agent/a')))], [1, 1])
  },
  async 'Several facts are appended together, in order'(store) {
    const recorded = await store.append('agent/a', countedTo(3))
    assert.deepEqual(versions(recorded), [1, 2, 3])
    assert.deepEqual(positions(recorded), [1, 2, 3])
  },
  async 'An append with one invalid fact writes nothing'(store) {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    const bad = [{ data: circle }, { data: 'text' }, { data: { n: 1n } }, { data: undefined }]
    for (const { data } of bad) {
      const fact = { type: 'Counted', v: 1, data } as unknown as NewFact
      await assert.rejects(store.append('agent/a', [counted(1), fact]))
    }
    assert.equal(await store.head(), 0)
  },
  async 'A fact that JSON would change is refused with the place, and nothing is written'(store) {
    class Point {
      x = 1
    }
    const changed: readonly (readonly [data: unknown, named: RegExp])[] = [
      [{ n: Number.NaN }, /\.n is NaN/],
      [{ n: Number.POSITIVE_INFINITY }, /\.n is Infinity/],
      [{ deep: [{ n: Number.NEGATIVE_INFINITY }] }, /\.deep\[0\]\.n is -Infinity/],
      [{ map: new Map([['a', 1]]) }, /\.map is a Map/],
      [{ set: new Set([1]) }, /\.set is a Set/],
      [{ when: new Date(0) }, /\.when is a Date/],
      [{ bytes: new Uint8Array(1) }, /\.bytes is a Uint8Array/],
      [{ point: new Point() }, /\.point is a Point/],
      [{ call: () => 1 }, /\.call is a function/],
      [{ mark: Symbol('mark') }, /\.mark is a symbol/],
      [{ list: [1, undefined] }, /\.list\[1\] is undefined/],
      [{ list: new Array(1) }, /\.list\[0\] is undefined/],
      [new Map(), /is a Map/],
    ]
    for (const [data, named] of changed) {
      const fact = { type: 'Counted', v: 1, data } as unknown as NewFact
      await assert.rejects(store.append('agent/a', [counted(1), fact]), (error: Error) => {
        assert.match(error.message, named)
        return error instanceof InvalidFactError
      })
    }
    assert.equal(await store.head(), 0)
  },
  async 'A field that is undefined counts as left out'(store) {
    const data = { n: 1, left: undefined } as unknown as NewFact['data']
    const [recorded] = await store.append('agent/a', [{ type: 'Counted', v: 1, data }])
    assert.deepEqual(recorded?.data, { n: 1 })
  },
  async 'An append without facts writes nothing'(store) {
    assert.deepEqual(await store.append('agent/a', []), [])
    assert.equal(await store.head(), 0)
    assert.deepEqual(await all(store.streams()), [])
  },
  async 'An append with the right expected version succeeds'(store) {
    await store.append('agent/a', countedTo(2), { expectedVersion: 'none' })
    await store.append('agent/a', [counted(3)], { expectedVersion: 2 })
    await store.append('agent/a', [counted(4)], { expectedVersion: 'any' })
    await store.append('agent/b', [counted(1)], { expectedVersion: 0 })
    assert.deepEqual([await store.head('agent/a'), await store.head('agent/b')], [4, 1])
  },
  async 'An append with a wrong expected version writes nothing, and the conflict names both versions'(
    store,
  ) {
    await store.append('agent/a', countedTo(2))
    await assert.rejects(store.append('agent/a', [counted(3)], { expectedVersion: 1 }), isConflict(1, 2))
    await assert.rejects(store.append('agent/a', [counted(3)], { expectedVersion: 3 }), isConflict(3, 2))
    await assert.rejects(store.append('agent/a', [counted(3)], { expectedVersion: 'none' }), isConflict(0, 2))
    await assert.rejects(store.append('agent/b', [counted(1)], { expectedVersion: 1 }), isConflict(1, 0))
    assert.equal(await store.head(), 2)
  },
  async 'Of several appends that create the same stream, exactly one wins'(store) {
    const create = (n: number) => store.append('agent/a', [counted(n)], { expectedVersion: 'none' })
    const outcomes = await Promise.allSettled([create(1), create(2), create(3)])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
    assert.deepEqual(numbers(await all(store.read('agent/a'))), [1])
  },
  async 'Facts are in the order of the appends, in the log and in each stream, without a gap'(store) {
    const appends = Array.from({ length: 300 }, (_, index) =>
      store.append(`agent/a${index % 7}`, countedTo(1 + (index % 3))),
    )
    const recorded = (await Promise.all(appends)).flat()
    assert.deepEqual(positions(recorded), upTo(600))
    assert.deepEqual(await all(store.readAll()), recorded)
    for (const { stream, version } of await all(store.streams())) {
      assert.deepEqual(versions(await all(store.read(stream))), upTo(version))
    }
  },
  async 'Every method refuses an invalid stream name'(store) {
    for (const name of [
      'a',
      '../x',
      'agent/A b',
      'agent/a/b',
      '/x',
      'agent/',
      `agent/${'a'.repeat(300)}`,
      'agent/\0',
    ]) {
      await assert.rejects(store.append(name, [counted(1)]), InvalidIdError)
      await assert.rejects(all(store.read(name)), InvalidIdError)
      await assert.rejects(store.head(name), InvalidIdError)
    }
    assert.equal(await store.head(), 0)
  },
  async 'A closed store refuses appends and reads'(store) {
    await store[Symbol.asyncDispose]()
    await assert.rejects(store.append('agent/a', [counted(1)]), { _tag: 'ClosedError' })
    await assert.rejects(all(store.readAll()), { _tag: 'ClosedError' })
    await store[Symbol.asyncDispose]()
  },
}

export const commitIds: Checks = {
  async 'A repeated commit id returns what the first append wrote, and writes nothing'(store) {
    const options = { commitId: 'commit-1' }
    const recorded = await store.append('agent/a', countedTo(3), options)
    await store.append('agent/a', [counted(4)])
    assert.deepEqual(await store.append('agent/a', countedTo(3), options), recorded)
    assert.equal(await store.head(), 4)
  },
  async 'A repeated commit id is recognized whatever version is expected'(store) {
    const options = { commitId: 'commit-1', expectedVersion: 'none' } as const
    const recorded = await store.append('agent/a', [counted(1)], options)
    assert.deepEqual(await store.append('agent/a', [counted(1)], options), recorded)
    assert.deepEqual(
      await store.append('agent/a', [counted(1)], { ...options, expectedVersion: 7 }),
      recorded,
    )
  },
  async 'A commit id that was new is recognized from then on'(store) {
    const recorded = await store.append('agent/a', countedTo(2), { commitId: 'commit-1', isNew: true })
    for (const isNew of [false, true])
      assert.deepEqual(
        await store.append('agent/a', countedTo(2), { commitId: 'commit-1', isNew }),
        recorded,
        `announced as ${isNew ? 'new' : 'known'}`,
      )
    assert.equal(await store.head(), 2)
  },
  async 'Two concurrent appends with the same commit id write once'(store) {
    const append = () => store.append('agent/a', countedTo(2), { commitId: 'commit-1' })
    const [one, two] = await Promise.all([append(), append()])
    assert.deepEqual(one, two)
    assert.equal(await store.head(), 2)
  },
  async 'A commit id used again for another stream or other facts is a conflict, and writes nothing'(store) {
    const options = { commitId: 'commit-1' }
    const recorded = await store.append('agent/a', countedTo(2), options)
    const others: readonly (readonly [stream: string, facts: readonly NewFact[]])[] = [
      ['agent/b', countedTo(2)],
      ['agent/a', countedTo(1)],
      ['agent/a', countedTo(3)],
      ['agent/a', [counted(1), counted(3)]],
      ['agent/a', [counted(1), { ...counted(2), type: 'Recounted' }]],
      ['agent/a', []],
    ]
    for (const [stream, facts] of others) {
      await assert.rejects(store.append(stream, facts, options), (error: CommitConflict) => {
        assert.ok(error instanceof CommitConflict, `a CommitConflict, not ${String(error)}`)
        assert.deepEqual(error.details, { commitId: 'commit-1', stream: 'agent/a', position: 1 })
        return true
      })
    }
    assert.deepEqual(await store.append('agent/a', countedTo(2), options), recorded)
    assert.equal(await store.head(), 2)
  },
  async 'Of two concurrent commits with one id and different facts, one is written'(store) {
    const append = (n: number) => store.append('agent/a', [counted(n)], { commitId: 'commit-1' })
    const outcomes = await Promise.allSettled([append(1), append(2)])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
    assert.deepEqual(numbers(await all(store.readAll())), [1])
  },
  async 'A repeated commit is recognized whatever the order of its fields'(store) {
    const append = (data: NewFact['data']) =>
      store.append('agent/a', [{ type: 'Counted', v: 1, data }], { commitId: 'commit-1' })
    assert.deepEqual(await append({ a: 1, b: [2] }), await append({ b: [2], a: 1 }))
  },
  async 'A refused append does not use up its commit id'(store) {
    const refused = store.append('agent/a', [counted(1)], { commitId: 'commit-1', expectedVersion: 5 })
    await assert.rejects(refused, VersionConflict)
    await store.append('agent/a', [counted(2)], { commitId: 'commit-1' })
    assert.deepEqual(numbers(await all(store.read('agent/a'))), [2])
  },
}
