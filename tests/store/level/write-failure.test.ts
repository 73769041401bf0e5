/** A failed write: the error its callers get, what still works, and how the store recovers. */
import { expect, test } from 'vitest'
import { levelStore } from '../../../src/store/level/store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { all, counted, countedTo, faultyDatabase } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const readOnly = { _tag: 'StoreReadOnly', retryable: true }

async function openFaulty() {
  const directory = await temporaryDirectory()
  const clock = virtualClock()
  const database = faultyDatabase()
  const store = await levelStore(directory, { clock, openDatabase: database.open })
  await store.append('agent/a', countedTo(2))
  return { directory, clock, database, store }
}

test('An append is acknowledged only once its write is done', async () => {
  const { store, database } = await openFaulty()
  await using _ = store
  const happened: string[] = []
  database.duringWrite = async () => {
    for (let turn = 0; turn < 10; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
    happened.push('writing')
  }
  await store.append('agent/a', [counted(3)])
  expect(happened).toEqual(['writing'])
})

test('A failed batch uses no positions, and every append in it is rejected', async () => {
  const { store, database, clock } = await openFaulty()
  await using _ = store
  database.fault = 'before'
  const outcomes = await Promise.allSettled([
    store.append('agent/a', [counted(3)]),
    store.append('agent/b', [counted(1)]),
    // It would conflict with the previous append, which was never written.
    store.append('agent/b', [counted(1)], { expectedVersion: 'none' }),
  ])
  for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: readOnly })
  expect(await store.head()).toBe(2)
  expect(await store.head('agent/b')).toBe(0)
  database.fault = 'none'
  await clock.advance(100)
  const [next] = await store.append('agent/a', [counted(4)], { expectedVersion: 2 })
  expect(next).toMatchObject({ position: 3, version: 3 })
  expect((await all(store.readAll())).map(({ data }) => data.n)).toEqual([1, 2, 4])
})

test('A store that cannot be written can be read, and backs off between attempts to reopen', async () => {
  const { store, database, clock } = await openFaulty()
  await using _ = store
  database.fault = 'before'
  await expect(store.append('agent/a', [counted(3)])).rejects.toMatchObject(readOnly)
  const openings = () => database.openings
  const opened = openings()
  await expect(store.append('agent/a', [counted(3)])).rejects.toMatchObject(readOnly)
  expect(openings()).toBe(opened)
  for (const [wait, more] of [
    [100, 1],
    [100, 1],
    [100, 2],
    [399, 2],
    [1, 3],
  ] as const) {
    await clock.advance(wait)
    await expect(store.append('agent/a', [counted(3)])).rejects.toMatchObject(readOnly)
    expect(openings()).toBe(opened + more)
  }
  expect(await all(store.read('agent/a'))).toHaveLength(2)
  expect(await all(store.readAll())).toHaveLength(2)
})

test('A batch that failed but was written after all is there once, under its commit id, and followers get it', async () => {
  const { store, database, clock } = await openFaulty()
  await using _ = store
  const seen: unknown[] = []
  const following = (async () => {
    for await (const { data } of store.follow()) {
      seen.push(data.n)
      if (seen.length === 4) break
    }
  })()
  database.fault = 'after'
  const append = () => store.append('agent/a', [counted(3)], { commitId: 'commit-3', expectedVersion: 2 })
  await expect(append()).rejects.toMatchObject(readOnly)
  database.fault = 'none'
  await clock.advance(100)
  expect(await append()).toMatchObject([{ position: 3, version: 3 }])
  await store.append('agent/b', [counted(4)])
  await following
  expect(seen).toEqual([1, 2, 3, 4])
})

test('A store that was closed after a failed write opens as it was before', async () => {
  const { directory, store, database } = await openFaulty()
  database.fault = 'before'
  await expect(store.append('agent/a', [counted(3)])).rejects.toMatchObject(readOnly)
  await store[Symbol.asyncDispose]()
  await using reopened = await levelStore(directory)
  expect((await all(reopened.read('agent/a'))).map(({ data }) => data.n)).toEqual([1, 2])
})

test('A reader in the middle of the log continues while the store is reopened', async () => {
  const { store, database, clock } = await openFaulty()
  await using _ = store
  await store.append('agent/a', countedTo(2500))
  const reader = store.readAll()[Symbol.asyncIterator]()
  for (let read = 0; read < 10; read++) await reader.next()
  database.fault = 'before'
  await expect(store.append('agent/a', [counted(1)])).rejects.toMatchObject(readOnly)
  database.fault = 'none'
  await clock.advance(100)
  await store.append('agent/a', [counted(1)])
  let last = 0
  for (let step = await reader.next(); !step.done; step = await reader.next()) last = step.value.position
  expect(last).toBe(2502)
})

test('A new commit id whose write failed after all was written is recognized, also if it is announced as new again', async () => {
  const { store, database, clock } = await openFaulty()
  await using _ = store
  const append = () => store.append('agent/a', [counted(3)], { commitId: 'one', isNew: true })
  database.fault = 'after'
  await expect(append()).rejects.toMatchObject(readOnly)
  database.fault = 'none'
  await clock.advance(100)
  expect(await append()).toMatchObject([{ position: 3, version: 3 }])
  expect(await store.head()).toBe(3)
})
