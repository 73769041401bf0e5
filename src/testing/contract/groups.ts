/** The store's contract for `appendAll`: several streams, all or nothing, and writers that are fenced. */
import assert from 'node:assert/strict'
import type { NewFact, Recorded } from '../../events/envelope.ts'
import { InvalidFactError } from '../../events/errors/fact.ts'
import { CommitConflict, Fenced } from '../../events/errors/store.ts'
import type { EventStore, StreamAppend } from '../../store/event-store.ts'
import { MortalStore } from '../mortal-store.ts'
import { all, type Checks, counted, countedTo, isConflict, numbers, positions, versions } from './kit.ts'

/** Two streams, each with a commit id. */
const pair = (n = 1): readonly StreamAppend[] => [
  { stream: 'run/a', facts: [counted(n)], commitId: 'one' },
  { stream: 'agent/a', facts: [counted(n + 1), counted(n + 2)], commitId: 'two' },
]

const isConflictOf = (commitId: string) => (error: unknown) => {
  assert.ok(error instanceof CommitConflict, `a CommitConflict, not ${String(error)}`)
  assert.equal(error.details.commitId, commitId)
  return true
}

export const groups: Checks = {
  async 'Several streams are appended to together, in order and without a gap'(store) {
    await store.append('agent/a', [counted(0)])
    const recorded = await store.appendAll(pair())
    assert.deepEqual(recorded.map(numbers), [[1], [2, 3]])
    assert.deepEqual(recorded.map(versions), [[1], [2, 3]])
    assert.deepEqual(positions(recorded.flat()), [2, 3, 4])
    assert.deepEqual(await all(store.readAll({ after: 1 })), recorded.flat())
    assert.deepEqual(await all(store.read('run/a')), recorded[0])
  },
  async 'Each summary of a group is that of its stream'(store) {
    const summary = (status: string) => ({ status, open: status === 'busy' })
    await store.appendAll([
      { stream: 'agent/a', facts: [counted(1)], summary: summary('busy') },
      { stream: 'run/a', facts: [counted(2)], summary: summary('done') },
    ])
    const found = (await all(store.streams())).map((head) => [head.stream, head.summary?.status])
    assert.deepEqual(found, [
      ['agent/a', 'busy'],
      ['run/a', 'done'],
    ])
    assert.deepEqual(
      (await all(store.streams({ open: true }))).map(({ stream }) => stream),
      ['agent/a'],
    )
  },
  async 'A fact can name an earlier fact of its own append as its cause, also one of another stream'(store) {
    const asked: NewFact = { ...counted(1), causationId: 'outside' }
    const accepted: NewFact = { ...counted(2), causationId: asked }
    const begun: NewFact = { ...counted(3), causationId: accepted }
    await store.append('run/a', [counted(0)])
    const recorded = await store.appendAll([
      { stream: 'run/a', facts: [asked] },
      { stream: 'agent/a', facts: [accepted, begun] },
    ])
    const [first, second, third] = recorded.flat()
    assert.deepEqual(
      [first?.causationId, second?.causationId, third?.causationId],
      ['outside', first?.id, second?.id],
    )
    assert.deepEqual(await all(store.readAll({ after: 1 })), recorded.flat())
    const alone: NewFact = { ...counted(4), causationId: null }
    const [cause, effect] = await store.append('run/a', [alone, { ...counted(5), causationId: alone }])
    assert.equal(effect?.causationId, cause?.id)
  },
  async 'A cause that is no earlier fact of its append is refused, and nothing is written'(store) {
    const later = counted(2)
    const refused = [
      [{ ...counted(1), causationId: later }, later],
      [{ ...counted(1), causationId: counted(1) }],
    ]
    for (const facts of refused) {
      await assert.rejects(
        store.appendAll([
          { stream: 'agent/b', facts: [counted(0)] },
          { stream: 'agent/a', facts },
        ]),
        InvalidFactError,
      )
    }
    assert.equal(await store.head(), 0)
  },
  async 'A group with one wrong version writes nothing'(store) {
    await store.append('agent/a', [counted(0)])
    const good: StreamAppend = {
      stream: 'run/a',
      facts: [counted(1)],
      expectedVersion: 'none',
      commitId: 'c',
    }
    const bad: StreamAppend = { stream: 'agent/a', facts: [counted(2)], expectedVersion: 'none' }
    await assert.rejects(store.appendAll([good, bad]), isConflict(0, 1))
    await assert.rejects(store.appendAll([bad, good]), isConflict(0, 1))
    assert.equal(await store.head(), 1)
    assert.deepEqual(
      (await all(store.streams())).map(({ stream }) => stream),
      ['agent/a'],
    )
    const [recorded] = await store.appendAll([good, { ...bad, expectedVersion: 1 }])
    assert.deepEqual(positions(recorded ?? []), [2])
  },
  async 'Each append of a group is checked as if those before it were written'(store) {
    const append = (n: number, expectedVersion: number): StreamAppend => ({
      stream: 'agent/a',
      facts: [counted(n)],
      expectedVersion,
    })
    await assert.rejects(store.appendAll([append(1, 0), append(2, 0)]), isConflict(0, 1))
    assert.deepEqual((await store.appendAll([append(1, 0), append(2, 1)])).map(versions), [[1], [2]])
  },
  async 'A group with one invalid fact writes nothing'(store) {
    const invalid = { type: 'Counted', v: 1, data: { n: Number.NaN } }
    await assert.rejects(
      store.appendAll([...pair(), { stream: 'agent/b', facts: [invalid] }]),
      InvalidFactError,
    )
    assert.equal(await store.head(), 0)
  },
  async 'A group without facts writes nothing'(store) {
    assert.deepEqual(await store.appendAll([]), [])
    assert.deepEqual(await store.appendAll([{ stream: 'agent/a', facts: [] }]), [[]])
    assert.equal(await store.head(), 0)
    assert.deepEqual(await all(store.streams()), [])
  },
  async 'A repeated group returns what the first one wrote, and writes nothing'(store) {
    const group = [...pair(), { stream: 'note/a', facts: [counted(9)] }]
    const recorded = await store.appendAll(group)
    await store.append('agent/a', [counted(4)])
    assert.deepEqual(await store.appendAll(group), recorded)
    const expecting = group.map((append) => ({ ...append, expectedVersion: 7 }))
    assert.deepEqual(await store.appendAll(expecting), recorded)
    const [one, two] = await Promise.all([store.appendAll(group), store.appendAll(group)])
    assert.deepEqual([one, two], [recorded, recorded])
    assert.equal(await store.head(), 5)
  },
  async 'Two concurrent groups with the same commit ids write once'(store) {
    const [one, two] = await Promise.all([store.appendAll(pair()), store.appendAll(pair())])
    assert.deepEqual(one, two)
    assert.equal(await store.head(), 3)
  },
  async 'A group of which only a part was written, or other facts, is a conflict, and writes nothing'(store) {
    const [run, agent] = pair()
    assert.ok(run && agent)
    await store.appendAll([run, agent])
    const others: readonly (readonly [string, readonly StreamAppend[]])[] = [
      ['one', [run, { ...agent, commitId: 'three' }]],
      ['one', [run, { ...agent, facts: [counted(2)] }]],
      ['one', [run, { ...agent, facts: [counted(2), counted(4)] }]],
      ['one', [run, { ...agent, stream: 'agent/b' }]],
      ['two', [agent, run]],
      ['one', [{ ...run, facts: countedTo(2) }, agent]],
      ['one', [{ stream: 'note/a', facts: [counted(1)] }, run]],
      ['one', [run, { stream: 'agent/a', facts: [counted(2)] }, { stream: 'note/a', facts: [counted(3)] }]],
    ]
    for (const [commitId, group] of others)
      await assert.rejects(store.appendAll(group), isConflictOf(commitId))
    assert.equal(await store.head(), 3)
    // Each part can be repeated alone.
    assert.deepEqual(numbers(await store.append(agent.stream, agent.facts, { commitId: 'two' })), [2, 3])
    assert.equal(await store.head(), 3)
  },
  async 'A group that repeats the last append of the log and goes on is a conflict, and writes nothing'(
    store,
  ) {
    const [run, agent] = pair()
    assert.ok(run && agent)
    await store.appendAll([run, agent])
    const more = { stream: 'agent/a', facts: [counted(4)] }
    await assert.rejects(store.appendAll([run, agent, more]), isConflictOf('one'))
    await assert.rejects(store.appendAll([agent, more]), isConflictOf('two'))
    assert.equal(await store.head(), 3)
  },
  async 'Two appends of a group cannot have the same commit id'(store) {
    const group = pair().map((append) => ({ ...append, commitId: 'one' }))
    await assert.rejects(store.appendAll(group), { _tag: 'InvalidInputError' })
    assert.equal(await store.head(), 0)
  },
  async 'Groups and appends that are written together keep their order, and each group is whole'(store) {
    const written = await Promise.all(
      Array.from({ length: 60 }, async (_, index): Promise<readonly Recorded[]> => {
        const stream = `agent/a${index % 3}`
        if (index % 4 === 0) return store.append(stream, countedTo(2))
        const facts = [counted(index)]
        return (
          await store.appendAll([
            { stream, facts },
            { stream: 'run/a', facts },
          ])
        ).flat()
      }),
    )
    assert.deepEqual(await all(store.readAll()), written.flat())
  },
  async 'A process that dies around a group leaves all of it or nothing'(store) {
    for (const when of ['before', 'after'] as const) {
      const head = await store.head()
      const mortal = new MortalStore(store, { crash: { append: 1, when } })
      const unique = pair().map((append) => ({ ...append, commitId: `${append.commitId}.${when}` }))
      void mortal.store.appendAll(unique)
      await mortal.died
      await mortal.settled()
      assert.equal(await store.head(), head + (when === 'before' ? 0 : 3))
    }
  },
}

/** Cases for stores that several writers share. The others have no `claim`. */
export const fencing: Checks = {
  async 'A writer whose stream was claimed by another one is fenced, and writes nothing'(store) {
    await ifClaimable(store, async (claim) => {
      const stale = await claim('agent/a')
      await store.append('agent/a', [counted(1)], { token: stale })
      const token = await claim('agent/a')
      assert.notEqual(token, stale)
      const isFenced = (error: unknown) => {
        assert.ok(error instanceof Fenced, `Fenced, not ${String(error)}`)
        assert.deepEqual(error.details, { stream: 'agent/a' })
        return true
      }
      await assert.rejects(store.append('agent/a', [counted(2)], { token: stale }), isFenced)
      await assert.rejects(
        store.appendAll([
          { stream: 'run/a', facts: [counted(2)] },
          { stream: 'agent/a', facts: [counted(2)], token: stale },
        ]),
        isFenced,
      )
      assert.equal(await store.head(), 1)
      await store.append('agent/a', [counted(2)], { token })
      assert.deepEqual(numbers(await all(store.read('agent/a'))), [1, 2])
    })
  },
  async 'A fenced writer is told so even if it repeats a commit'(store) {
    await ifClaimable(store, async (claim) => {
      const token = await claim('agent/a')
      await store.append('agent/a', [counted(1)], { token, commitId: 'one' })
      await claim('agent/a')
      await assert.rejects(store.append('agent/a', [counted(1)], { token, commitId: 'one' }), Fenced)
    })
  },
  async 'A claim holds for its stream alone: another one takes appends without a token, and none with that one'(
    store,
  ) {
    await ifClaimable(store, async (claim) => {
      const token = await claim('agent/a')
      await assert.rejects(store.append('agent/b', [counted(1)], { token }), Fenced)
      await store.append('agent/b', [counted(1)])
      await claim('agent/b')
      await store.append('agent/a', [counted(2)], { token })
      assert.equal(await store.head(), 2)
    })
  },
  async 'A writer without a claim is fenced from a stream that is claimed, and writes nothing'(store) {
    await ifClaimable(store, async (claim) => {
      const stream = 'agent/a'
      await store.append(stream, [counted(1)], { commitId: 'one' })
      const token = await claim(stream)
      const { length } = await all(store.streams())
      await assert.rejects(store.append(stream, [counted(2)]), Fenced)
      await assert.rejects(store.append(stream, [counted(1)], { commitId: 'one' }), Fenced)
      await assert.rejects(store.append(stream, [counted(2)], { expectedVersion: 1 }), Fenced)
      await assert.rejects(
        store.appendAll([
          { stream: 'run/a', facts: [counted(2)] },
          { stream, facts: [counted(2)] },
        ]),
        Fenced,
      )
      assert.equal(await store.head(), 1)
      assert.equal((await all(store.streams())).length, length)
      await store.append(stream, [counted(2)], { token })
    })
  },
  async 'The writer that has claimed a stream can read all that earlier ones append'(store) {
    await ifClaimable(store, async (claim) => {
      // The append waits, is being written or is done when the stream is claimed.
      for (let turns = 0; turns < 6; turns++) {
        const stream = `agent/a${turns}`
        const token = await claim(stream)
        const append = (n: number) => store.append(stream, [counted(n)], { token })
        const early = append(1)
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
        const claimed = claim(stream).then(async () => numbers(await all(store.read(stream))))
        const outcomes = await Promise.allSettled([early, append(2)])
        const written = outcomes.flatMap((outcome) =>
          outcome.status === 'fulfilled' ? numbers(outcome.value) : [],
        )
        assert.deepEqual(await claimed, written)
        assert.deepEqual(numbers(await all(store.read(stream))), written)
      }
    })
  },
}

async function ifClaimable(
  store: EventStore,
  check: (claim: (stream: string) => Promise<string>) => Promise<void>,
): Promise<void> {
  if (store.claim) await check((stream) => store.claim?.(stream) ?? Promise.resolve(''))
}
