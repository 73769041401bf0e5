/** Clients that follow a part of the log: each gets its own facts, and what the owner holds for one does not grow. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { NewFact, Recorded } from '../../src/events/envelope.ts'
import { silentLogger } from '../../src/logger.ts'
import { serveOwner } from '../../src/owner/socket.ts'
import { LineWriter } from '../../src/owner/wire.ts'
import { followLog } from '../../src/remote/live-log.ts'
import { remoteStore } from '../../src/remote/store.ts'
import { followOnly } from '../../src/store/follow.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { temporaryDirectory } from '../store/temporary.ts'
import { connected, WITHOUT_RUNS } from './kit.ts'

async function servedStore() {
  const baseDir = await temporaryDirectory()
  const store = await levelStore(baseDir)
  onTestFinished(() => store[Symbol.asyncDispose]())
  const system = { ...WITHOUT_RUNS, agent: () => Promise.reject(new Error('there is none')) }
  const socket = await serveOwner({ baseDir, store, system, logger: silentLogger })
  onTestFinished(() => socket.close())
  return { baseDir, store, socket }
}

const noted = (correlationId: string, text = ''): NewFact => ({
  type: 'Noted',
  v: 1,
  data: { text },
  correlationId,
})

async function firstOf(facts: AsyncIterable<Recorded>, count: number): Promise<Recorded[]> {
  const found: Recorded[] = []
  for await (const fact of facts) if (found.push(fact) === count) break
  return found
}

test('A client that follows one run is sent its facts and those of the tasks of its steps, and no others', async () => {
  const { baseDir, store } = await servedStore()
  const client = await connected(baseDir)
  const only = { correlationId: 'r1' }
  const sent: unknown[] = []
  const values = client.values.bind(client)
  vi.spyOn(client, 'values').mockImplementation(async function* (...request) {
    for await (const value of values(...request)) {
      sent.push(value)
      yield value
    }
  })
  const following = firstOf(followOnly(remoteStore(client), only), 4)
  await store.append('run/r1', [noted('r1')])
  await store.append('run/r10', [noted('r10')])
  await store.append('agent/a', [noted('r1'), noted('r1.step.1'), noted('r10.step.1'), noted('other')])
  await store.append('agent/b', [noted('r2'), noted('r1.step.2')])
  const got = await following
  expect(got.map(({ correlationId }) => correlationId)).toEqual(['r1', 'r1', 'r1.step.1', 'r1.step.2'])
  expect(sent).toEqual(got)
})

test('A follower of one stream goes on where it was when the log has another owner', async () => {
  const { baseDir, store, socket } = await servedStore()
  const stop = new AbortController()
  const only = { stream: 'note/a' }
  const following = followLog(baseDir, { after: 0, signal: stop.signal, only })
  const next = async () => (await following.next()).value?.position
  await store.append('note/a', [noted('x')])
  await store.append('note/b', [noted('x'), noted('x')])
  await store.append('note/a', [noted('x')])
  expect([await next(), await next()]).toEqual([1, 4])
  const last = next()
  await socket.close()
  await store[Symbol.asyncDispose]()
  const again = await levelStore(baseDir)
  await again.append('note/b', [noted('x')])
  await again.append('note/a', [noted('x')])
  await again[Symbol.asyncDispose]()
  expect(await last).toBe(6)
  stop.abort()
  await following.next()
})

const RUNS = 20
const CLIENTS_OF_A_RUN = 10
/** More than a socket holds that is not read. */
const FACTS = 32
const TEXT = 'x'.repeat(16 * 1024)
/** The largest page of a follower, and a fact more. */
const LARGEST_BACKLOG = 256 * 1024 + 2 * TEXT.length

test('200 clients attached to 20 runs: no client waits for one that does not read, which keeps one page', async () => {
  const { baseDir, store, socket: served } = await servedStore()
  const pages = new Map<LineWriter, number>()
  let largest = 0
  const { writePage } = LineWriter.prototype
  vi.spyOn(LineWriter.prototype, 'writePage').mockImplementation(function (this: LineWriter, page) {
    const written = writePage.call(this, page)
    pages.set(this, (pages.get(this) ?? 0) + 1)
    largest = Math.max(largest, this.backlog)
    return written
  })
  onTestFinished(() => void vi.restoreAllMocks())
  const runs = Array.from({ length: RUNS }, (_, index) => `r${index}`)
  const write = async () => {
    for (const run of runs)
      await store.append(
        `run/${run}`,
        Array.from({ length: FACTS }, () => noted(run, TEXT)),
      )
  }
  const reading: (() => Promise<Recorded[]>)[] = []
  for (const run of runs)
    for (let client = 0; client < CLIENTS_OF_A_RUN; client++) {
      if (client % 2 === 0) {
        const facts = followOnly(remoteStore(await connected(baseDir)), { correlationId: run })
        reading.push(() => firstOf({ [Symbol.asyncIterator]: () => ({ next: () => facts.next() }) }, FACTS))
      } else {
        const socket = connect(served.path)
        onTestFinished(() => void socket.destroy())
        socket.pause()
        await once(socket, 'connect')
        socket.write(`GET /follow?after=0&correlationId=${run} HTTP/1.1\r\nhost: owner\r\n\r\n`)
      }
    }
  const all = async () => {
    const got = Promise.all(reading.map((read) => read()))
    await write()
    for (const [index, facts] of (await got).entries()) {
      const run = runs[Math.floor((2 * index) / CLIENTS_OF_A_RUN)]
      expect(new Set(facts.map(({ stream }) => stream))).toEqual(new Set([`run/${run}`]))
    }
  }
  await all()
  const stuck = [...pages.values()]
    .toSorted((one, other) => one - other)
    .slice(0, (RUNS * CLIENTS_OF_A_RUN) / 2)
  await all()
  const later = [...pages.values()]
    .toSorted((one, other) => one - other)
    .slice(0, (RUNS * CLIENTS_OF_A_RUN) / 2)
  expect(later).toEqual(stuck)
  expect(largest).toBeLessThanOrEqual(LARGEST_BACKLOG)
})
