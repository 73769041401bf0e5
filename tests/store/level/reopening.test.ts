/** What a durable store keeps across reopening. */
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Fenced } from '../../../src/events/errors/store.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { openLevel } from '../../../src/store/level/database.ts'
import { COUNTS_KEY } from '../../../src/store/level/entries.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { all, contents, counted, countedTo } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

test('A reopened store has everything: facts, versions, commit ids, summaries and bodies', async () => {
  const directory = await temporaryDirectory()
  const summary = { status: 'busy', open: true }
  const before = await levelStore(directory, { clock: virtualClock() })
  const recorded = await before.append('agent/a', countedTo(3), { commitId: 'commit-1', summary })
  const body = await before.blobs.put('a long text')
  await before[Symbol.asyncDispose]()

  await using store = await levelStore(directory)
  expect(store.storeId).toBe(before.storeId)
  expect(recorded[0]?.at).toBe('2026-01-01T00:00:00.000Z')
  expect(await all(store.readAll())).toEqual(recorded)
  expect(await all(store.read('agent/a'))).toEqual(recorded)
  expect(await all(store.streams({ open: true }))).toEqual([{ stream: 'agent/a', version: 3, summary }])
  expect(await store.append('agent/a', countedTo(3), { commitId: 'commit-1' })).toEqual(recorded)
  expect(await store.blobs.get(body)).toBe('a long text')
  const [next] = await store.append('agent/a', [counted(4)], { expectedVersion: 3 })
  expect(next).toMatchObject({ position: 4, version: 4 })
})

test('Actors are counted, indexed on disk or not, and again where an older version has not counted them', async () => {
  const directory = await temporaryDirectory()
  const become = (store: EventStore, stream: string, status: string) =>
    store.append(stream, [counted(1)], { summary: { status, open: false } })
  {
    await using store = await levelStore(directory)
    for (const stream of ['agent/a', 'agent/b', 'agent/c', 'run/a']) await become(store, stream, 'idle')
    await become(store, 'agent/a', 'absent')
    expect([await store.count?.('agent'), await store.count?.('run')]).toEqual([2, 1])
    // More than one checkpoint covers.
    for (let group = 0; group < 3; group += 1) await store.append('topic/a', countedTo(1024))
    expect([await store.count?.('agent'), await store.count?.('topic')]).toEqual([2, 0])
    await become(store, 'agent/b', 'absent')
    await become(store, 'agent/d', 'idle')
    await become(store, 'agent/e', 'idle')
    expect(await store.count?.('agent')).toBe(3)
  }
  {
    await using store = await levelStore(directory)
    expect([await store.count?.('agent'), await store.count?.('run')]).toEqual([3, 1])
  }
  const database = await openLevel(join(directory, 'log'), { createIfMissing: false })
  expect(await database.get(COUNTS_KEY)).toBeDefined()
  await database.del(COUNTS_KEY)
  await database.close()
  await using store = await levelStore(directory)
  await become(store, 'agent/f', 'idle')
  await become(store, 'agent/c', 'absent')
  expect([await store.count?.('agent'), await store.count?.('run')]).toEqual([3, 1])
})

test('Each opening that writes gets a larger epoch; one that only reads uses none', async () => {
  const directory = await temporaryDirectory()
  const epochs: number[] = []
  for (const writes of [true, true, false, true]) {
    await using store = await levelStore(directory)
    if (writes) epochs.push((await store.append('agent/a', [counted(1)]))[0]?.epoch ?? 0)
    else await all(store.readAll())
  }
  expect(epochs).toEqual([1, 2, 3])
})

test('Opening and reading a store changes neither its head nor its store.json', async () => {
  const directory = await temporaryDirectory()
  {
    await using store = await levelStore(directory)
    await store.append('agent/a', countedTo(3))
  }
  const own = async () => {
    const files = await contents(directory)
    return ['head', 'store.json'].map((name) => files.get(join(directory, name)))
  }
  const before = await own()
  {
    await using store = await levelStore(directory)
    expect(await all(store.read('agent/a'))).toHaveLength(3)
  }
  expect(await own()).toEqual(before)
})

test('Streams are read across many index flushes, in both directions, also after reopening', async () => {
  const directory = await temporaryDirectory()
  const check = async (store: Awaited<ReturnType<typeof levelStore>>) => {
    for (const [stream, count] of [
      ['agent/even', 3000],
      ['agent/odd', 3000],
      ['agent/rare', 4],
    ] as const) {
      const facts = await all(store.read(stream))
      expect(facts.map(({ version }) => version)).toEqual(
        Array.from({ length: count }, (_, index) => index + 1),
      )
      expect(await all(store.read(stream, { direction: 'backwards' }))).toEqual(facts.toReversed())
      expect(await all(store.read(stream, { after: count - 3, to: count - 1 }))).toEqual(facts.slice(-3, -1))
    }
  }
  {
    await using store = await levelStore(directory)
    for (let round = 0; round < 60; round++) {
      await Promise.all([
        store.append('agent/even', countedTo(50)),
        store.append('agent/odd', countedTo(50)),
        ...(round % 15 === 0 ? [store.append('agent/rare', [counted(round)])] : []),
      ])
    }
    await check(store)
  }
  await using store = await levelStore(directory)
  await check(store)
})

test('Only the owner may access the directory and its files', async () => {
  const directory = join(await temporaryDirectory(), 'deep', 'store')
  await using store = await levelStore(directory)
  await store.append('agent/a', [counted(1)])
  await store.blobs.put('text')
  const modes = async (names: readonly string[]) =>
    Promise.all(names.map(async (name) => ((await stat(join(directory, name))).mode & 0o777).toString(8)))
  expect(await modes(['.', 'blobs', 'log'])).toEqual(['700', '700', '700'])
  expect(await modes(['store.json', 'head', 'lock', '.gitignore'])).toEqual(['600', '600', '600', '600'])
  const names = ['.gitignore', 'blobs', 'head', 'lock', 'log', 'store.json']
  expect((await readdir(directory)).sort()).toEqual(names)
})

test('A store whose creation was interrupted is created again', async () => {
  const directory = await temporaryDirectory()
  await (await levelStore(directory))[Symbol.asyncDispose]()
  await writeFile(join(directory, 'creating'), '')
  await rm(join(directory, 'store.json'))
  await using store = await levelStore(directory)
  await store.append('agent/a', [counted(1)])
  expect(await readdir(directory)).not.toContain('creating')
})

test('A record over the size limit is refused, and nothing of its append is written', async () => {
  await using store = await levelStore(await temporaryDirectory(), { maxRecordBytes: 1000 })
  const large = { type: 'Large', v: 1, data: { text: 'ü'.repeat(600) } }
  await expect(store.append('agent/a', [counted(1), large])).rejects.toMatchObject({ _tag: 'RecordTooLarge' })
  expect(await store.head()).toBe(0)
})

test('A token of an earlier opening is fenced', async () => {
  const directory = await temporaryDirectory()
  const claimed = async (store: EventStore) => (await store.claim?.('agent/a')) ?? ''
  const before = await levelStore(directory)
  const stale = await claimed(before)
  await before.append('agent/a', [counted(1)], { token: stale })
  await before[Symbol.asyncDispose]()
  await using store = await levelStore(directory)
  await expect(store.append('agent/a', [counted(2)], { token: stale })).rejects.toThrow(Fenced)
  const token = await claimed(store)
  await expect(store.append('agent/a', [counted(2)], { token: stale })).rejects.toThrow(Fenced)
  await store.append('agent/a', [counted(2)], { token })
  expect(await store.head('agent/a')).toBe(2)
})
