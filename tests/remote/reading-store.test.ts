/** A reader never owns the store: any process can open it, and the reader follows. */

import { spawnSync } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { StoreDamaged } from '../../src/events/errors/store.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { readingStore } from '../../src/remote/reading-store.ts'
import { readingView } from '../../src/store/care/view.ts'
import { openLevel } from '../../src/store/level/database.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const noted = (text: string) => ({ type: 'Noted', v: 1, data: { text } })
const viewsIn = async (directory: string) =>
  (await readdir(directory)).filter((name) => name.startsWith('view.'))

test('A log that is being read can be opened, written and closed by owner after owner, and the reader sees it all', async () => {
  const baseDir = await temporaryDirectory()
  const open = () => Orchestrator.open({ baseDir, runner: scriptedRunner() })
  await (await open()).close()
  const store = await readingStore(baseDir)
  await using _ = store
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const following = store.follow({ signal: stop.signal })[Symbol.asyncIterator]()
  const next = async () => (await following.next()).value?.stream
  expect(await store.head()).toBe(0)
  for (const id of ['a', 'b', 'c']) {
    const owner = await open()
    await owner.createAgent({ id, systemPrompt: 'x' })
    expect(await next()).toBe(`agent/${id}`)
    expect((await store.read(`agent/${id}`)[Symbol.asyncIterator]().next()).value?.type).toBe('AgentCreated')
    await owner.close()
    expect(await store.head(`agent/${id}`)).toBe(1)
  }
  const streams: string[] = []
  for await (const { stream } of store.readAll()) streams.push(stream)
  expect(streams).toEqual(['agent/a', 'agent/b', 'agent/c'])
})

test('The facts of an owner that serves nobody are read while it writes them', async () => {
  const baseDir = await temporaryDirectory()
  await using owner = await levelStore(baseDir)
  await owner.append('note/a', [noted('1')])
  const store = await readingStore(baseDir)
  await using _ = store
  for (let count = 2; count <= 5; count++) {
    await owner.append('note/a', [noted(String(count))])
    // The head file is written right after an append.
    await new Promise((resolve) => setImmediate(resolve))
    expect(await store.head('note/a')).toBe(count)
  }
  expect(await viewsIn(baseDir)).toHaveLength(1)
})

test('A view locks nothing and remembers nothing: it ends with its process', async () => {
  const baseDir = await temporaryDirectory()
  const owner = await levelStore(baseDir)
  await owner.append('note/a', [noted('1')])
  await owner[Symbol.asyncDispose]()
  await using _ = await readingView(baseDir)
  const [view = ''] = await viewsIn(baseDir)
  const known = ['blobs', 'head', 'log', 'store.json', 'unread', 'verified']
  expect((await readdir(join(baseDir, view))).filter((name) => !known.includes(name))).toEqual([])
})

test('An owner that writes whenever a reader opens a view does not keep it from reading', async () => {
  const baseDir = await temporaryDirectory()
  await using owner = await levelStore(baseDir)
  await owner.append('note/a', [noted('1')])
  let views = 0
  const store = await readingStore(baseDir, {
    async openDatabase(...given) {
      views++
      if (views < 10) await owner.append('note/a', [noted('meanwhile')])
      return openLevel(...given)
    },
  })
  await using _ = store
  expect(await store.head()).toBe(2)
  expect(await store.head()).toBe(3)
  expect(views).toBe(3)
})

test('A view holds everything acknowledged before it was taken, however fast its owner writes', async () => {
  const baseDir = await temporaryDirectory()
  await using owner = await levelStore(baseDir)
  const filler = 'x'.repeat(20_000)
  let written = 0
  let isWriting = true
  const writing = (async () => {
    while (isWriting) {
      await Promise.all(Array.from({ length: 20 }, () => owner.append('note/a', [noted(filler)])))
      written += 20
    }
  })()
  for (let round = 0; round < 5; round++) {
    const acknowledged = written
    await using view = await readingView(baseDir)
    expect(await view.head()).toBeGreaterThanOrEqual(acknowledged)
    for await (const _ of view.chain({ after: Math.max(0, acknowledged - 100) }));
  }
  isWriting = false
  await writing
  expect(await viewsIn(baseDir)).toEqual([])
})

test('What a killed reader left behind is removed by the next one', async () => {
  const baseDir = await temporaryDirectory()
  await (await levelStore(baseDir)).append('note/a', [noted('1')])
  const { pid } = spawnSync('true')
  const [own] = await viewNames(baseDir)
  const left = own?.replace(String(process.pid), String(pid)) ?? ''
  await mkdir(join(baseDir, left))
  await (await readingView(baseDir))[Symbol.asyncDispose]()
  while ((await viewsIn(baseDir)).length > 0) await new Promise((resolve) => setImmediate(resolve))
})

test('What a killed reader left behind is removed by the next owner', async () => {
  const baseDir = await temporaryDirectory()
  await (await levelStore(baseDir))[Symbol.asyncDispose]()
  const { pid } = spawnSync('true')
  const [own] = await viewNames(baseDir)
  await mkdir(join(baseDir, own?.replace(String(process.pid), String(pid)) ?? ''))
  await using _ = await levelStore(baseDir)
  expect(await viewsIn(baseDir)).toEqual([])
})

test.each([
  ['a view', readingView],
  ['a reader', readingStore],
])('Nothing can be written through %s', async (_what, open) => {
  const baseDir = await temporaryDirectory()
  await (await levelStore(baseDir))[Symbol.asyncDispose]()
  await using store = await open(baseDir)
  const writes = [
    () => store.append('note/a', [noted('1')]),
    () => store.appendAll([{ stream: 'note/a', facts: [noted('1')] }]),
    () => store.claim?.('note/a'),
    () => store.blobs.put('text'),
  ]
  for (const write of writes)
    await expect(write()).rejects.toMatchObject({
      _tag: 'StoreForReading',
      message: expect.stringContaining(`The store ${baseDir} was opened for reading only.`),
    })
  expect(await store.head()).toBe(0)
})

test('A view that its owner broke while it ended is taken again, and the store is not opened for it', async () => {
  const baseDir = await temporaryDirectory()
  await (await levelStore(baseDir))[Symbol.asyncDispose]()
  const opened: boolean[] = []
  await using view = await readingView(baseDir, {
    openDatabase(path, ...rest) {
      opened.push(path.startsWith(join(baseDir, 'view.')))
      if (opened.length === 1)
        throw new StoreDamaged({ path, file: path, problem: 'it changed while it was copied' })
      return openLevel(path, ...rest)
    },
  })
  expect(opened).toEqual([true, true])
  expect(await view.head()).toBe(0)
})

test('A view that could be taken only after opening the store leaves the store to others', async () => {
  const baseDir = await temporaryDirectory()
  await (await levelStore(baseDir))[Symbol.asyncDispose]()
  let views = 0
  await using view = await readingView(baseDir, {
    openDatabase(path, ...rest) {
      views++
      if (views <= 2) throw new StoreDamaged({ path, file: path, problem: 'it changed while it was copied' })
      return openLevel(path, ...rest)
    },
  })
  expect(views).toBe(4)
  await using owner = await levelStore(baseDir)
  await owner.append('note/a', [noted('1')])
  expect(await view.head()).toBe(0)
})

test('The folder of a view is removed even if closing it fails', async () => {
  const baseDir = await temporaryDirectory()
  await (await levelStore(baseDir))[Symbol.asyncDispose]()
  const view = await readingView(baseDir, {
    async openDatabase(...given) {
      const database = await openLevel(...given)
      const close = database.close.bind(database)
      database.close = async () => {
        await close()
        throw new Error('the disk is gone')
      }
      return database
    },
  })
  await expect(view[Symbol.asyncDispose]()).rejects.toThrow('the disk is gone')
  expect(await viewsIn(baseDir)).toEqual([])
})

/** The folders of a view that is open. */
async function viewNames(baseDir: string) {
  await using _ = await readingView(baseDir)
  return await viewsIn(baseDir)
}
