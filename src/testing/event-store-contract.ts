/** What every event store promises, as cases for any test runner. Ours run it; an author of another store can, too. */
import assert from 'node:assert/strict'
import type { NewFact, Recorded } from '../events/envelope.ts'
import { InvalidIdError } from '../events/errors.ts'
import { VersionConflict } from '../events/store-errors.ts'
import type { EventStore } from '../store/event-store.ts'

export interface ContractCase {
  readonly title: string
  run(): Promise<void>
}

type Check = (store: EventStore) => Promise<void>

/**
 * The contract of an {@link EventStore}. `make` gives a new, empty store each time; it is closed after its case.
 *
 * @example
 * for (const { title, run } of eventStoreContract(() => memoryStore())) test(title, run)
 */
export function eventStoreContract(make: () => Promise<EventStore> | EventStore): readonly ContractCase[] {
  return Object.entries({ ...appending, ...commitIds, ...reading, ...following, ...listing, ...bodies }).map(
    ([title, check]) => ({
      title,
      async run() {
        await using store = await make()
        await check(store)
      },
    }),
  )
}

const counted = (n: number): NewFact => ({ type: 'Counted', v: 1, data: { n } })

const countedTo = (last: number): NewFact[] => Array.from({ length: last }, (_, index) => counted(index + 1))

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

/** The first `count` of a sequence that has no end. */
async function first<Item>(items: AsyncIterable<Item>, count: number): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) {
    found.push(item)
    if (found.length === count) break
  }
  return found
}

const numbers = (facts: readonly Recorded[]) => facts.map(({ data }) => data.n)
const versions = (facts: readonly Recorded[]) => facts.map(({ version }) => version)
const positions = (facts: readonly Recorded[]) => facts.map(({ position }) => position)
const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, index) => from + index)

const isConflict = (expected: number, actual: number) => (error: unknown) => {
  assert.ok(error instanceof VersionConflict, `a VersionConflict, not ${String(error)}`)
  assert.deepEqual([error.expected, error.actual], [expected, actual])
  return true
}

const appending: Record<string, Check> = {
  async 'An appended fact comes back with its place, its time and its identity'(store) {
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
  async 'What an append returns is what a reader gets, whatever JSON it holds'(store) {
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
  async 'Several facts are appended as one'(store) {
    const recorded = await store.append('agent/a', countedTo(3))
    assert.deepEqual(versions(recorded), [1, 2, 3])
    assert.deepEqual(positions(recorded), [1, 2, 3])
  },
  async 'Nothing of an append is written when one of its facts cannot be'(store) {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    const bad = [{ data: circle }, { data: 'text' }, { data: { n: 1n } }, { data: undefined }]
    for (const { data } of bad) {
      const fact = { type: 'Counted', v: 1, data } as unknown as NewFact
      await assert.rejects(store.append('agent/a', [counted(1), fact]))
    }
    assert.equal(await store.head(), 0)
  },
  async 'Appending nothing writes nothing'(store) {
    assert.deepEqual(await store.append('agent/a', []), [])
    assert.equal(await store.head(), 0)
    assert.deepEqual(await all(store.streams()), [])
  },
  async 'An expected version that is right lets the append through'(store) {
    await store.append('agent/a', countedTo(2), { expectedVersion: 'none' })
    await store.append('agent/a', [counted(3)], { expectedVersion: 2 })
    await store.append('agent/a', [counted(4)], { expectedVersion: 'any' })
    await store.append('agent/b', [counted(1)], { expectedVersion: 0 })
    assert.deepEqual([await store.head('agent/a'), await store.head('agent/b')], [4, 1])
  },
  async 'An expected version that is wrong is a conflict that names both, and writes nothing'(store) {
    await store.append('agent/a', countedTo(2))
    await assert.rejects(store.append('agent/a', [counted(3)], { expectedVersion: 1 }), isConflict(1, 2))
    await assert.rejects(store.append('agent/a', [counted(3)], { expectedVersion: 3 }), isConflict(3, 2))
    await assert.rejects(store.append('agent/a', [counted(3)], { expectedVersion: 'none' }), isConflict(0, 2))
    await assert.rejects(store.append('agent/b', [counted(1)], { expectedVersion: 1 }), isConflict(1, 0))
    assert.equal(await store.head(), 2)
  },
  async 'Of two that create one stream, exactly one wins'(store) {
    const create = (n: number) => store.append('agent/a', [counted(n)], { expectedVersion: 'none' })
    const outcomes = await Promise.allSettled([create(1), create(2), create(3)])
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected'],
    )
    assert.deepEqual(numbers(await all(store.read('agent/a'))), [1])
  },
  async 'Facts have the order of the calls, in the log and in each stream, without a gap'(store) {
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
  async 'A name that is not a stream is refused by every door'(store) {
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
  async 'A closed store takes and gives nothing'(store) {
    await store[Symbol.asyncDispose]()
    await assert.rejects(store.append('agent/a', [counted(1)]), { _tag: 'ClosedError' })
    await assert.rejects(all(store.readAll()), { _tag: 'ClosedError' })
    await store[Symbol.asyncDispose]()
  },
}

const commitIds: Record<string, Check> = {
  async 'The same commit id again returns what the first one wrote, and writes nothing'(store) {
    const options = { commitId: 'commit-1' }
    const recorded = await store.append('agent/a', countedTo(3), options)
    await store.append('agent/a', [counted(4)])
    assert.deepEqual(await store.append('agent/a', countedTo(3), options), recorded)
    assert.equal(await store.head(), 4)
  },
  async 'A commit id counts whatever version is expected by now'(store) {
    const options = { commitId: 'commit-1', expectedVersion: 'none' } as const
    const recorded = await store.append('agent/a', [counted(1)], options)
    assert.deepEqual(await store.append('agent/a', [counted(1)], options), recorded)
    assert.deepEqual(
      await store.append('agent/a', [counted(1)], { ...options, expectedVersion: 7 }),
      recorded,
    )
  },
  async 'A commit id given twice at the same time is written once'(store) {
    const append = () => store.append('agent/a', countedTo(2), { commitId: 'commit-1' })
    const [one, two] = await Promise.all([append(), append()])
    assert.deepEqual(one, two)
    assert.equal(await store.head(), 2)
  },
  async 'A commit that was refused has not used its id'(store) {
    const refused = store.append('agent/a', [counted(1)], { commitId: 'commit-1', expectedVersion: 5 })
    await assert.rejects(refused, VersionConflict)
    await store.append('agent/a', [counted(2)], { commitId: 'commit-1' })
    assert.deepEqual(numbers(await all(store.read('agent/a'))), [2])
  },
}

const reading: Record<string, Check> = {
  async 'A stream is read from, up to, and at most as asked, in both directions'(store) {
    await store.append('agent/b', countedTo(2))
    await store.append('agent/a', countedTo(10))
    const read = async (options: Parameters<EventStore['read']>[1]) =>
      numbers(await all(store.read('agent/a', options)))
    assert.deepEqual(await read({}), upTo(10))
    assert.deepEqual(await read({ after: 7 }), [8, 9, 10])
    assert.deepEqual(await read({ to: 2 }), [1, 2])
    assert.deepEqual(await read({ after: 3, to: 6 }), [4, 5, 6])
    assert.deepEqual(await read({ after: 3, limit: 2 }), [4, 5])
    assert.deepEqual(await read({ limit: 0 }), [])
    assert.deepEqual(await read({ after: 10 }), [])
    assert.deepEqual(await read({ after: 99, to: 5 }), [])
    assert.deepEqual(await read({ to: 99 }), upTo(10))
    assert.deepEqual(await read({ direction: 'backwards' }), upTo(10).reverse())
    assert.deepEqual(await read({ direction: 'backwards', limit: 1 }), [10])
    assert.deepEqual(await read({ direction: 'backwards', after: 3, to: 6, limit: 2 }), [6, 5])
  },
  async 'The whole log is read from, up to, and at most as asked'(store) {
    for (const n of upTo(10)) await store.append(`agent/a${n % 3}`, [counted(n)])
    const read = async (options: Parameters<EventStore['readAll']>[0]) =>
      numbers(await all(store.readAll(options)))
    assert.deepEqual(await read({}), upTo(10))
    assert.deepEqual(await read({ after: 7 }), [8, 9, 10])
    assert.deepEqual(await read({ after: 3, to: 6 }), [4, 5, 6])
    assert.deepEqual(await read({ limit: 3 }), [1, 2, 3])
    assert.deepEqual(await read({ after: 10 }), [])
  },
  async 'More facts than fit one page are read whole and in order'(store) {
    const count = 2500
    for (let n = 0; n < count; n += 500) await store.append('agent/a', countedTo(500))
    await store.append('agent/b', [counted(1)])
    assert.deepEqual(versions(await all(store.read('agent/a'))), upTo(count))
    assert.deepEqual(
      versions(await all(store.read('agent/a', { direction: 'backwards' }))),
      upTo(count).reverse(),
    )
    assert.deepEqual(positions(await all(store.readAll())), upTo(count + 1))
  },
  async 'A reader may stop at any time'(store) {
    await store.append('agent/a', countedTo(50))
    assert.deepEqual(numbers(await first(store.read('agent/a'), 3)), [1, 2, 3])
    assert.deepEqual(numbers(await first(store.readAll(), 3)), [1, 2, 3])
  },
  async 'An unknown stream has no facts, and version 0'(store) {
    await store.append('agent/ab', [counted(1)])
    assert.deepEqual(await all(store.read('agent/a')), [])
    assert.equal(await store.head('agent/a'), 0)
  },
  async 'The head is the last version of a stream, and the last position of the log'(store) {
    assert.equal(await store.head(), 0)
    await store.append('agent/a', countedTo(2))
    await store.append('agent/b', countedTo(3))
    assert.deepEqual(
      [await store.head('agent/a'), await store.head('agent/b'), await store.head()],
      [2, 3, 5],
    )
  },
}

const following: Record<string, Check> = {
  async 'Following gives what is there, and then what comes'(store) {
    await store.append('agent/a', countedTo(2))
    const following = first(store.follow(), 4)
    await store.append('agent/b', countedTo(2))
    assert.deepEqual(positions(await following), [1, 2, 3, 4])
  },
  async 'Following from a position gives only what comes after it'(store) {
    await store.append('agent/a', countedTo(3))
    const following = first(store.follow({ after: 2 }), 2)
    await store.append('agent/a', [counted(4)])
    assert.deepEqual(numbers(await following), [3, 4])
  },
  async 'From history to live there is no gap and no duplicate, while others append'(store) {
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
  async 'Following ends when it is aborted, also while it waits'(store) {
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

const listing: Record<string, Check> = {
  async 'The streams are listed by name, with their versions'(store) {
    for (const name of ['run/b', 'agent/b', 'agent/a-1', 'agent/a', 'agent/a_1'])
      await store.append(name, [counted(1)])
    await store.append('agent/b', [counted(2)])
    const listed = (await all(store.streams())).map(({ stream, version }) => `${stream} ${version}`)
    assert.deepEqual(listed, ['agent/a 1', 'agent/a-1 1', 'agent/a_1 1', 'agent/b 2', 'run/b 1'])
    const agents = (await all(store.streams({ prefix: 'agent/a' }))).map(({ stream }) => stream)
    assert.deepEqual(agents, ['agent/a', 'agent/a-1', 'agent/a_1'])
  },
  async 'A summary stays until the next one, and says which streams are open'(store) {
    const summary = (status: string, open: boolean) => ({ summary: { status, open, info: { status } } })
    await store.append('agent/a', [counted(1)], summary('busy', true))
    await store.append('agent/b', [counted(1)], summary('idle', false))
    await store.append('agent/c', [counted(1)])
    await store.append('agent/a', [counted(2)])
    const listed = await all(store.streams())
    assert.deepEqual(listed, [
      { stream: 'agent/a', version: 2, ...summary('busy', true) },
      { stream: 'agent/b', version: 1, ...summary('idle', false) },
      { stream: 'agent/c', version: 1, summary: null },
    ])
    assert.deepEqual(await all(store.streams({ open: true })), listed.slice(0, 1))
    await store.append('agent/a', [counted(3)], summary('idle', false))
    assert.deepEqual(await all(store.streams({ open: true })), [])
  },
}

const bodies: Record<string, Check> = {
  async 'A body comes back as it was put, and putting it again changes nothing'(store) {
    const text = `${'ü'.repeat(100_000)}\u0000\r\n`
    const reference = await store.blobs.put(text)
    assert.equal(reference.bytes, Buffer.byteLength(text))
    assert.deepEqual(await Promise.all([store.blobs.put(text), store.blobs.put(text)]), [
      reference,
      reference,
    ])
    assert.equal(await store.blobs.get(reference), text)
    assert.equal(await store.blobs.get(await store.blobs.put('')), '')
  },
  async 'A body that is not there is an error, as is a reference that is none'(store) {
    const missing = { sha256: 'a'.repeat(64), bytes: 1 }
    await assert.rejects(store.blobs.get(missing), { _tag: 'CorruptBlob' })
    await assert.rejects(store.blobs.get({ sha256: '../../store.json', bytes: 1 }))
    const { sha256 } = await store.blobs.put('text')
    await assert.rejects(store.blobs.get({ sha256, bytes: 5 }), { _tag: 'CorruptBlob' })
  },
}
