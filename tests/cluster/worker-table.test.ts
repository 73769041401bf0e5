/** The table of workers, and what a process is told that cannot be one. Nothing here needs the engine. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { withClaims } from '../../src/cluster/handover/claims.ts'
import { addressFrom, addressText, isLoopback } from '../../src/cluster/options.ts'
import { loaded, refuseOldNode } from '../../src/cluster/requirements.ts'
import { CLUSTER_PROTOCOL, WorkerTable } from '../../src/cluster/worker-table.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { serverAddress } from '../../src/store/postgres/database.ts'
import { databaseFindings } from '../../src/store/postgres/diagnosis.ts'
import { openPostgresStore, postgresStore } from '../../src/store/postgres/store.ts'
import { commandLine } from '../cli/command.ts'
import { hasPostgres, newDatabase, query } from '../postgres/database.ts'
import { counted } from '../store/store-kit.ts'
import { wayTo } from './chaos/proxy.ts'

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
    hint: 'npm install pg@~8.23.1 @effect/platform-node @effect/sql-pg',
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
    const first = { name: 'one', address: '10.0.0.1:1', epoch: 1 }
    const second = { name: 'one', address: '10.0.0.2:1', epoch: 2 }
    expect(await table.join(first)).toBe(true)
    const [seen] = await table.others(2)
    expect([await table.join(second), seen]).toEqual([
      false,
      { worker: 'one', address: '10.0.0.1:1', epoch: 1, lifeline: '', beat: expect.any(String) },
    ])
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
        release: '',
        labels: [],
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
    // Others were not told that it has ended, only that it was not heard of. And it was since.
    expect([await table.join(second), await table.join(second, seen)]).toEqual([false, false])
    expect(await table.join(second, (await table.others(2))[0])).toBe(true)
    expect(await table.beat(one, 7, tokens)).toMatchObject({ isReplaced: true })
  })

  test('have ended when it is known of their processes and they are not heard of; then their addresses are not known', async () => {
    const url = await newDatabase()
    await using store = await postgresStore(url, { access: 'shared' })
    await using table = await WorkerTable.at(url)
    await table.join({ name: 'one', address: '127.0.0.1:1', epoch: 98, lifeline: '127.0.0.1:2' })
    await table.join({ name: 'other', address: '127.0.0.1:3', epoch: store.epoch })
    expect(await table.addresses()).toEqual(new Set(['127.0.0.1:1', '127.0.0.1:3']))
    // What said so was wrong.
    await table.ended(98)
    expect((await table.addresses())?.size).toBe(2)
    await query(url, "update claude_agents.workers set seen = now() - interval '3 s'")
    await table.ended(98)
    expect(await table.addresses()).toEqual(new Set(['127.0.0.1:3']))
    expect(await table.others(99)).toMatchObject([{ worker: 'other', lifeline: '' }])
    await query(url, 'alter table claude_agents.workers rename to away')
    expect(await table.addresses()).toBeUndefined()
  })

  test('take what another one has only once that has left, given it back or ended; one that is known to have ended by its claim', async () => {
    const url = await newDatabase()
    await using one = await openPostgresStore(url, { access: 'shared' })
    await using two = await openPostgresStore(url, { access: 'shared' })
    await using table = await WorkerTable.at(url)
    await table.join({ name: 'one', address: '127.0.0.1:1', epoch: one.epoch })
    const first = await one.claimAfter('agent/a')
    // By another address of the same worker.
    const token = String(await one.claimAfter('agent/a'))
    expect([first, token]).toEqual([`${one.epoch}.1`, `${one.epoch}.2`])
    const held = { worker: 'one', epoch: one.epoch, beat: expect.any(String), token }
    expect(await two.claimAfter('agent/a')).toEqual(held)
    expect(await two.claimAfter('agent/a', String(first))).toEqual(held)
    await one.append('agent/a', [counted(1)], { token })
    // A newer claim is not given back.
    await one.release('agent/a', String(first))
    expect(await two.claimAfter('agent/a')).toEqual(held)
    await one.release('agent/a', token)
    expect(await two.claimAfter('agent/a')).toBe(`${two.epoch}.4`)
    await expect(one.append('agent/a', [counted(2)], { token })).rejects.toMatchObject({ _tag: 'Fenced' })
    // A process without agents has no time of its own.
    expect(typeof (await one.claimAfter('agent/a'))).toBe('string')
    const last = await two.claimAfter('agent/a')
    expect(last).toMatchObject({ worker: 'one' })
    expect(typeof (await two.claimAfter('agent/a', (last as { token: string }).token))).toBe('string')
    await one.claim?.('agent/b')
    await table.leave('one', one.epoch)
    expect(typeof (await two.claimAfter('agent/b'))).toBe('string')
    const strays = await table.strays(two.epoch, [])
    expect(strays.map(({ stream }) => stream).sort()).toEqual(['agent/a', 'agent/b'])
    expect(
      await table.strays(
        two.epoch,
        strays.map((stray) => stray.token),
      ),
    ).toEqual([])
  })

  test('give up a connection on which no answer comes, and say on another one that they live', {
    timeout: 30_000,
  }, async () => {
    const url = await newDatabase()
    const { host, database } = await serverAddress(url)
    const way = await wayTo(`${host}/.s.PGSQL.5432`, '127.0.0.1')
    onTestFinished(() => way.close())
    await using store = await postgresStore(url, { access: 'shared' })
    await using table = await WorkerTable.at(`postgresql://owner@127.0.0.1:${way.port}/${database}`)
    const me = { name: 'one', epoch: store.epoch }
    await table.join({ name: 'one', address: '10.0.0.1:1', epoch: store.epoch })
    const beat = (answerMs?: number) => table.beat(me, 0, new Map(), {}, answerMs)
    expect((await beat()).isReplaced).toBe(false)
    way.forget()
    await expect(beat(100)).rejects.toMatchObject({ _tag: 'StoreUnavailable' })
    expect((await beat()).isReplaced).toBe(false)
  })

  test('speak one protocol: one of another release is refused before it changes anything, and so is a client', async () => {
    const url = await newDatabase()
    await (await postgresStore(url, { access: 'shared' }))[Symbol.asyncDispose]()
    // As a release of before the protocol had a number has left them.
    await query(url, 'alter table claude_agents.workers drop column protocol, drop column release')
    await query(
      url,
      "insert into claude_agents.workers (name, address, epoch) values ('old', '10.0.0.1:1', 1)",
    )
    await using table = await WorkerTable.at(url)
    expect(await table.list()).toMatchObject([{ worker: 'old', release: '' }])
    await expect(table.checkProtocol()).rejects.toMatchObject({
      _tag: 'ClusterProtocolMismatch',
      message: expect.stringContaining(
        `"old" speaks version 1 of the cluster's protocol; this program speaks version ${CLUSTER_PROTOCOL}`,
      ),
      hint: expect.stringContaining('cluster drain old'),
    })
    await query(url, "update claude_agents.workers set seen = now() - interval '20 s'")
    await table.checkProtocol()
    await query(
      url,
      "alter table claude_agents.workers add column protocol int not null default 1, add column release text not null default ''",
    )
    await table.join({ name: 'new', address: '10.0.0.1:2', epoch: 2, release: '9.9.9' })
    await table.checkProtocol()
    await expect(table.checkProtocol(CLUSTER_PROTOCOL - 1)).rejects.toMatchObject({
      message: expect.stringContaining('"new" is of release 9.9.9'),
      hint: expect.stringContaining('Upgrade this program'),
    })
  })

  test('that continue while a newer release has brought the tables up to date write as before', async () => {
    const url = await newDatabase()
    await using store = await postgresStore(url, { access: 'shared' })
    await using table = await WorkerTable.at(url)
    await table.join({ name: 'one', address: '10.0.0.1:1', epoch: store.epoch })
    await query(url, 'insert into claude_agents.migrations (version) values (999)')
    await store.append('agent/a', [counted(1)])
    expect(await table.beat({ name: 'one', epoch: store.epoch }, 1, new Map())).toMatchObject({
      isReplaced: false,
    })
    await expect(postgresStore(url, { access: 'shared' })).rejects.toMatchObject({
      _tag: 'UnsupportedFormat',
    })
  })

  test('that were killed are forgotten after a day', async () => {
    const url = await newDatabase()
    await using store = await postgresStore(url, { access: 'shared' })
    await using table = await WorkerTable.at(url)
    for (const name of ['one', 'two']) await table.join({ name, address: '10.0.0.1:1', epoch: store.epoch })
    await query(url, "update claude_agents.workers set seen = now() - interval '25 h' where name = 'one'")
    await table.join({ name: 'three', address: '10.0.0.1:1', epoch: store.epoch })
    expect(await query(url, 'select name from claude_agents.workers order by 1')).toEqual([
      ...[{ name: 'three' }, { name: 'two' }],
    ])
  })

  test('are refused where the clock is wrong, of which doctor warns early, as of too few connections', async () => {
    const url = await newDatabase()
    await using store = await postgresStore(url, { access: 'shared' })
    await using table = await WorkerTable.at(url)
    const off = (ms: number) => ({ ...systemClock, now: () => Date.now() + ms })
    await table.checkClock(off(1000))
    await expect(table.checkClock(off(180_000))).rejects.toThrow('180 s ahead of that of the database')
    await expect(table.checkClock(off(-180_000))).rejects.toThrow('180 s behind that of the database')
    const finding = async (name: string, ms: number) => {
      for await (const found of databaseFindings(url, { clock: off(ms) }))
        if (found.name === name) return found
      return undefined
    }
    expect(await finding('clock', 0)).toMatchObject({ isFine: true })
    expect(await finding('clock', 30_000)).toMatchObject({
      isFine: false,
      fix: expect.stringContaining('timedatectl'),
    })
    expect(await finding('connections', 0)).toMatchObject({ isFine: true })
    for (let n = 0; n < 20; n++)
      await table.join({ name: `w${n}`, address: '10.0.0.1:1', epoch: store.epoch })
    expect(await finding('connections', 0)).toMatchObject({
      isFine: false,
      message: expect.stringContaining('20 workers take up to 220'),
      fix: expect.stringContaining('max_connections to 241'),
    })
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
