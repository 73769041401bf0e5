/** The table of workers, and what a process is told that cannot be one. Nothing here needs the engine. */
import { describe, expect, test } from 'vitest'
import { withClaims } from '../../src/cluster/claims.ts'
import { addressFrom, addressText, isLoopback } from '../../src/cluster/options.ts'
import { loaded, refuseOldNode } from '../../src/cluster/requirements.ts'
import { WorkerTable } from '../../src/cluster/worker-table.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { postgresStore } from '../../src/store/postgres/store.ts'
import { commandLine } from '../cli/command.ts'
import { hasPostgres, newDatabase, query } from '../postgres/database.ts'
import { counted } from '../store/store-kit.ts'

test.each(['20.20.2', '22.18.9'])('Node %s is too old for a cluster', (version) => {
  expect(() => refuseOldNode(version)).toThrow(`its version ${version} is too old for a cluster`)
})

test.each(['22.19.0', '24.0.0'])('Node %s is new enough for a cluster', (version) => {
  expect(() => refuseOldNode(version)).not.toThrow()
})

test('A package of the engine that is missing is named, with how to install it', async () => {
  const load = () => import('no-such-package' as string)
  await expect(loaded(load, '22.19.0')).rejects.toMatchObject({
    _tag: 'InvalidInputError',
    hint: 'npm install pg @effect/platform-node @effect/sql-pg',
  })
})

test('An address is a host and a port; other machines reach all that is not loopback', () => {
  for (const text of ['127.0.0.1:7600', 'worker-1.internal:0', '[::1]:65535'])
    expect(addressText(addressFrom('listen', text))).toBe(text)
  for (const text of [
    '127.0.0.1',
    ':7600',
    '127.0.0.1:65536',
    '::1:7600',
    'a b:1',
    'user@host:1',
    '',
    undefined,
  ])
    expect(() => addressFrom('listen', text), String(text)).toThrow('Write it as HOST:PORT')
  expect(
    ['localhost', '127.0.0.9', '::1', '0.0.0.0', '10.0.0.1', '127.0.0.1.example.org'].filter((host) =>
      isLoopback({ host, port: 1 }),
    ),
  ).toEqual(['localhost', '127.0.0.9', '::1'])
})

test('Who executes a run is checked with each append to it, and nothing is added to the log for that', async () => {
  const inner = memoryStore()
  const [one, other] = [withClaims(inner), withClaims(inner)]
  await one.claim('execution/r')
  expect((await one.store.append('run/r', [counted(1)])).length).toBe(1)
  // Such as what a call has cost that was known late.
  await other.store.append('run/r', [counted(2)])
  await other.claim('execution/r')
  await expect(one.store.append('run/r', [counted(3)])).rejects.toMatchObject({
    _tag: 'Fenced',
    details: { stream: 'run/r' },
  })
  const [first, second] = await other.store.appendAll([
    { stream: 'run/r', facts: [counted(3)] },
    { stream: 'note/a', facts: [counted(4)] },
  ])
  expect([first?.[0]?.version, second?.[0]?.stream]).toEqual([3, 'note/a'])
  expect(await inner.head()).toBe(4)
  await expect(one.store.append('agent/a', [counted(1)])).rejects.toMatchObject({ _tag: 'Fenced' })
})

describe.skipIf(!hasPostgres)('The workers of a database', () => {
  test('are listed as long as they are heard of, have names of their own, and are told of what they have lost', async () => {
    const url = await newDatabase()
    await using store = await postgresStore(url, { access: 'shared' })
    await using table = await WorkerTable.at(url)
    await table.join('one', '10.0.0.1:1', 1)
    await expect(table.join('one', '10.0.0.2:1', 2)).rejects.toMatchObject({
      _tag: 'WorkerNameTaken',
      message: expect.stringContaining('A worker at 10.0.0.1:1 has the name "one".'),
    })
    const token = (await store.claim?.('agent/a')) ?? ''
    const tokens = new Map([['agent/a', token]])
    const one = { name: 'one', epoch: 1 }
    expect(await table.beat(one, 7, tokens)).toEqual({ isReplaced: false, isDraining: false, lost: [] })
    await store.claim?.('agent/a')
    expect(await table.beat(one, 7, tokens)).toMatchObject({ lost: ['agent/a'] })
    expect(await table.list()).toEqual([
      {
        worker: 'one',
        address: '10.0.0.1:1',
        agents: 7,
        draining: false,
        since: expect.stringMatching(/^\d{4}-.*Z$/),
      },
    ])
    await expect(table.drain('on')).rejects.toMatchObject({
      _tag: 'WorkerNotFound',
      details: { nearest: 'one' },
    })
    await table.drain('one')
    expect(await table.beat(one, 7, tokens)).toMatchObject({ isDraining: true })
    await query(url, "update claude_agents.workers set seen = now() - interval '20 s'")
    expect(await table.list()).toEqual([])
    await table.join('one', '10.0.0.2:1', 2)
    expect(await table.beat(one, 7, tokens)).toMatchObject({ isReplaced: true })
  })

  test('are none where no database is named, and where it never had one', async () => {
    const { run } = await commandLine()
    for (const words of [['worker'], ['cluster', 'workers'], ['cluster', 'drain', 'one']])
      expect(await run(words)).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('Name it: --database'),
      })
    const within = await commandLine({ CLAUDE_AGENTS_DATABASE: await newDatabase() })
    expect(await within.run(['--json', 'cluster', 'workers'])).toMatchObject({ exitCode: 0, values: [] })
    expect(await within.run(['cluster', 'drain', 'one'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('The cluster has no worker "one".'),
    })
  })
})
