/** Following a log from outside survives changes of its owner, and never keeps the store open between reads. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { accessForReading } from '../../src/cli/access.ts'
import { watchStore } from '../../src/cli/live/watched-store.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { OwnerClient } from '../../src/remote/client.ts'
import { followLog, lastMatching, openLog } from '../../src/remote/live-log.ts'
import { retryWhileInUse } from '../../src/remote/retry.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../store/temporary.ts'

/** Retries, because a follower may have the store open just then. */
const open = (baseDir: string) =>
  retryWhileInUse(() => Orchestrator.open({ baseDir, runner: scriptedRunner() }))

test('Following continues from one owner to the next, and misses nothing written between them', async () => {
  const baseDir = await temporaryDirectory()
  const stop = new AbortController()
  const owners: (number | null)[] = []
  const seen: string[] = []
  let next = () => {}
  const first = await open(baseDir)
  const following = (async () => {
    const options = { after: 0, signal: stop.signal, onOwner: (pid: number | null) => owners.push(pid) }
    for await (const { stream } of followLog(baseDir, options)) {
      seen.push(stream)
      next()
    }
  })()
  const until = async (count: number) => {
    while (seen.length < count) await new Promise<void>((resolve) => (next = resolve))
  }
  await first.createAgent({ id: 'a', systemPrompt: 'x' })
  await until(1)
  await first.close()
  // An owner without a socket: its facts are read when it has gone.
  const silent = await retryWhileInUse(() => levelStore(baseDir))
  await silent.append('note/b', [{ type: 'Noted', v: 1, data: {} }])
  await silent[Symbol.asyncDispose]()
  await until(2)
  const last = await open(baseDir)
  await last.createAgent({ id: 'c', systemPrompt: 'x' })
  await until(3)
  stop.abort()
  await following
  await last.close()
  expect(seen).toEqual(['agent/a', 'note/b', 'agent/c'])
  expect(owners).toEqual([process.pid, null, process.pid])
})

test('The last facts of a kind are found however far back they are', async () => {
  const store = await levelStore(await temporaryDirectory())
  await using _ = store
  const facts = (type: string, count: number) =>
    Array.from({ length: count }, () => ({ type, v: 1, data: {} }))
  await store.append('note/a', [...facts('Rare', 3), ...facts('Usual', 3000)])
  const rare = ({ type }: { type: string }) => type === 'Rare'
  expect(await lastMatching(store, 2, rare)).toBe(1)
  expect(await lastMatching(store, 10, rare)).toBe(0)
  expect(await lastMatching(store, 10, () => true)).toBe(2993)
  expect(await lastMatching(store, 0, () => true)).toBe(3003)
})

test('A watched store can be opened by other processes between two reads', async () => {
  const baseDir = await temporaryDirectory()
  await (await open(baseDir)).close()
  const watched = watchStore({ baseDir: baseDir })
  const look = () =>
    watched.look(async (orchestrator, owner) => ({ owner, agents: (await orchestrator.agents()).length }))
  expect(await look()).toEqual({ owner: null, agents: 0 })
  const owner = await open(baseDir)
  await owner.createAgent({ id: 'a', systemPrompt: 'x' })
  expect(await look()).toEqual({ owner: process.pid, agents: 1 })
  await owner.close()
  expect(await look()).toEqual({ owner: null, agents: 1 })
  expect(await look()).toEqual({ owner: null, agents: 1 })
})

test('An owner that ends while a reader begins with it is not asked again: the reader reads the files', async () => {
  const baseDir = await temporaryDirectory()
  const owner = await open(baseDir)
  await owner.createAgent({ id: 'a', systemPrompt: 'x' })
  const { values } = OwnerClient.prototype
  const asked: string[] = []
  vi.spyOn(OwnerClient.prototype, 'values').mockImplementation(async function* (
    this: OwnerClient,
    ...request
  ) {
    if (asked.push(request[0]) === 2) await owner.close()
    yield* values.apply(this, request)
  })
  onTestFinished(() => void vi.restoreAllMocks())
  const { orchestrator, owner: pid } = await accessForReading(baseDir)
  expect({ pid, agents: (await orchestrator.agents()).map(({ id }) => id) }).toEqual({
    pid: null,
    agents: ['a'],
  })
  expect(asked.length).toBeGreaterThanOrEqual(2)
  await orchestrator.close()
})

test('A log is opened here if no process owns it, and read through its owner otherwise', async () => {
  const baseDir = await temporaryDirectory()
  const here = await openLog(baseDir)
  expect(here.owner).toBeNull()
  await here.store[Symbol.asyncDispose]()
  await using _ = await open(baseDir)
  const there = await openLog(baseDir)
  expect(there.owner).toBe(process.pid)
  await there.store[Symbol.asyncDispose]()
})
