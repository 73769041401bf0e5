/** What a client asks of an agent in a worker, on its way there. Nothing here needs several processes. */
import { expect, test } from 'vitest'
import { clusterPlacement } from '../../src/cluster/client.ts'
import { withClaims } from '../../src/cluster/handover/claims.ts'
import { Residents } from '../../src/cluster/residents.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { everywhere } from './in-one-process.ts'

const anyAgent = { snapshot: { context: { config: null } } }

test('An argument that was left out before another one is left out in the worker as well', async () => {
  const calls: unknown[] = []
  const agent = { ...anyAgent, cancel: async (...args: unknown[]) => calls.push(args) > 0 }
  const system = { agent: async () => agent, releaseAgent: async () => {}, copyAgent: async () => agent }
  const residents = new Residents(system as never, withClaims(memoryStore()) as never, everywhere, 0)
  await residents.enter('writer')
  const request = JSON.stringify({ method: 'cancel', args: ['t1', undefined, { by: 'ada' }] })
  expect(await residents.command('writer', request)).toBe('{"result":true}')
  expect(calls).toEqual([['t1', undefined, { by: 'ada' }]])
})

test('A task that nobody waits for takes along what led to it', async () => {
  const commands: unknown[] = []
  const client = { command: async (...command: unknown[]) => commands.push(command) }
  const origin = { correlationId: 'schedule/daily', causationId: 'fact-1' }
  const options = { taskId: 't1', origin, signal: new AbortController().signal, onHeld: () => {} }
  await clusterPlacement(client as never).call('writer', 'accept', ['Summarize.', options])
  expect(commands).toMatchObject([
    ['writer', 'accept', [{ prompt: 'Summarize.' }, { taskId: 't1', origin }], undefined],
  ])
})

test('An agent that is lost while it leaves has left: the others need not wait until its work would have ended', async () => {
  const released: string[] = []
  const agent = { ...anyAgent, isStarted: true, settled: () => new Promise(() => {}) }
  const system = { agent: async () => agent, releaseAgent: async (id: string) => released.push(id) }
  const residents = new Residents(system as never, withClaims(memoryStore()) as never, everywhere, 900_000)
  await residents.enter('writer')
  const leaving = residents.leave('writer')
  await new Promise(setImmediate)
  expect(residents.has('writer')).toBe(true)
  await residents.lose(['writer'])
  await leaving
  expect([residents.size, released.length]).toEqual([0, 3])
})
