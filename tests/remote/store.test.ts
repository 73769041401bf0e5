/** A log read through its owner passes the same contract as the log itself. */
import { describe, expect, test } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { serveOwner } from '../../src/owner/socket.ts'
import { connectOwner } from '../../src/remote/client.ts'
import { remoteStore } from '../../src/remote/store.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { chainedStore } from '../../src/store/level/chained-store.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { eventStoreContract } from '../../src/testing/contract/event-store-contract.ts'
import { all } from '../../src/testing/contract/kit.ts'
import { connected, served, WITHOUT_RUNS } from '../owner/kit.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const noAgents = { ...WITHOUT_RUNS, agent: () => Promise.reject(new Error('no agents here')) }

/** A store that is written directly and read through the socket. */
async function readThroughSocket(): Promise<EventStore> {
  const baseDir = await temporaryDirectory()
  const store = await levelStore(baseDir)
  const socket = await serveOwner({ baseDir, store, system: noAgents, logger: silentLogger })
  const client = await connected(baseDir)
  const remote = remoteStore(client)
  return {
    ...remote,
    append: (stream, facts, options) => store.append(stream, facts, options),
    appendAll: (appends) => store.appendAll(appends),
    blobs: { put: (text) => store.blobs.put(text), get: (reference) => remote.blobs.get(reference) },
    snapshots: {
      load: (stream) => remote.snapshots.load(stream),
      save: (stream, snapshot) => store.snapshots.save(stream, snapshot),
      clear: () => store.snapshots.clear(),
    },
    async [Symbol.asyncDispose]() {
      client.close()
      await socket.close()
      await store[Symbol.asyncDispose]()
    },
  }
}

describe('A store that is read through its owner', () => {
  for (const { title, run } of eventStoreContract(readThroughSocket)) test(title, run)

  test('has the records of its owner, verified again', async () => {
    const { own, remote } = await served()
    for (const id of ['a', 'b', 'c']) await own.createAgent({ id, systemPrompt: 'x' })
    const records = async ({ store }: typeof own) => all(chainedStore(store).chain({ after: 1 }))
    expect(await records(remote)).toEqual(await records(own))
    expect(await records(remote)).toHaveLength(2)
  })

  test('refuses writes, which only its owner can do', async () => {
    const { remote } = await served()
    const refused = { _tag: 'OwnerOnly', message: expect.stringContaining(String(process.pid)) }
    await expect(remote.store.append('agent/a', [])).rejects.toMatchObject(refused)
    await expect(remote.store.appendAll([])).rejects.toMatchObject(refused)
    await expect(remote.store.blobs.put('x')).rejects.toMatchObject(refused)
    expect(() => remote.sequential(['a'], 'x')).toThrow(expect.objectContaining(refused))
    expect(() => remote.supervise({ id: 's', children: [] })).toThrow(expect.objectContaining(refused))
  })
})

describe('A follower of a log through its owner', () => {
  test('gets all that is written until the log is closed, and then ends', async () => {
    const { own, remote } = await served()
    const followed = all(remote.store.follow())
    for (let n = 1; n <= 20; n++) await own.createAgent({ id: `a${n}`, systemPrompt: 'x' })
    await own.close()
    expect((await followed).map(({ stream }) => stream)).toEqual(
      Array.from({ length: 20 }, (_, index) => `agent/a${index + 1}`),
    )
  })

  test('can stop at any time', async () => {
    const { own, remote } = await served()
    await own.createAgent({ id: 'a', systemPrompt: 'x' })
    for await (const { position } of remote.store.follow()) if (position === 1) break
    const stop = new AbortController()
    const waiting = all(remote.store.follow({ after: 1, signal: stop.signal }))
    stop.abort()
    expect(await waiting).toEqual([])
    expect(await remote.store.head()).toBe(1)
  })
})

test('A stalled reader holds up neither other readers nor closing', async () => {
  const { baseDir, own, client } = await served()
  for (let n = 1; n <= 40; n++)
    await own.store.append('note/n', [{ type: 'Noted', v: 1, data: { text: 'x'.repeat(200_000) } }])
  const lazy = client.values('/follow', { after: 0 })
  await lazy.next()
  const other = await connected(baseDir)
  expect(await all(other.values('/facts'))).toHaveLength(40)
  await own.close()
  expect(await connectOwner(baseDir)).toBeNull()
})
