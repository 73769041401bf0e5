/** What becomes of appends when PostgreSQL, or the connection to it, goes away in the middle of one. */
import { execFileSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, connect as open, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { StoreUnavailable } from '../../../src/events/errors/store.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { Watermark } from '../../../src/store/follow.ts'
import { PostgresDatabase } from '../../../src/store/postgres/database.ts'
import { PostgresSession } from '../../../src/store/postgres/session.ts'
import { postgresStore } from '../../../src/store/postgres/store.ts'
import { verifyDatabase } from '../../../src/store/postgres/verification.ts'
import { until } from '../../actors/world.ts'
import { canMount, smallDisk } from '../../mounted.ts'
import { hasPostgres, newDatabase, place, query, urlOf } from '../../postgres/database.ts'
import { type KeptServer, keptServer } from '../../postgres/server.ts'
import { all, counted } from '../store-kit.ts'

/** Appends numbers from 1 on, one after another, until it is told to stop. */
function appending(store: EventStore, stream: string) {
  const written: Recorded[] = []
  let isStopped = false
  const done = (async () => {
    for (let n = 1; !isStopped; n++) written.push(...(await store.append(stream, [counted(n)])))
  })()
  const until = async (count: number) => {
    while (written.length < count) await Promise.race([new Promise(setImmediate), done])
  }
  return {
    written,
    until,
    async stop() {
      isStopped = true
      await done
    },
  }
}

const names = ['agent/a', 'agent/b', 'agent/c', 'agent/d']

/** Appends to several streams while something happens, and checks that each append is in the log once, as it was answered. */
async function appendsDuring(store: EventStore, event: () => Promise<void>): Promise<void> {
  const followed: Recorded[] = []
  const stop = new AbortController()
  const following = (async () => {
    for await (const recorded of store.follow({ signal: stop.signal })) followed.push(recorded)
  })()
  const appenders = names.map((name) => appending(store, name))
  await Promise.all(appenders.map(({ until }) => until(5)))
  await event()
  await Promise.all(appenders.map(({ written, until }) => until(written.length + 5)))
  await Promise.all(appenders.map((each) => each.stop()))
  const log = await all(store.readAll())
  expect(log.map(({ position }) => position)).toEqual(log.map((_, index) => index + 1))
  expect(log.length).toBe(appenders.flatMap(({ written }) => written).length)
  for (const [index, { written }] of appenders.entries())
    expect(await all(store.read(names[index] ?? ''))).toEqual(written)
  await until(() => followed.length >= log.length)
  stop.abort()
  await following
  expect(followed).toEqual(log)
}

describe.skipIf(!hasPostgres || !canMount)('A database on a full disk', () => {
  test('is read-only to appends until there is room again, and each append is written or refused as a whole', async () => {
    const { directory: folder, fill, free } = await smallDisk()
    execFileSync('install', ['-d', '-o', 'postgres', '-m', '700', join(folder, 'space')])
    const { url: shared } = await place()
    const space = `small_${randomUUID().slice(0, 8)}`
    await query(shared, `create tablespace ${space} location '${join(folder, 'space')}'`)
    const url = await newDatabase(`tablespace ${space}`)
    onTestFinished(async () => {
      await query(shared, `drop database ${/\/(test_\w+)/.exec(url)?.[1]} with (force)`)
      await query(shared, `drop tablespace ${space}`)
    })
    await using store = await postgresStore(url)
    await fill(200_000)
    const large = { type: 'Large', v: 1, data: { text: randomBytes(40_000).toString('hex') } }
    let written = 0
    const refused = await (async () => {
      for (; written < 100; written++) await store.append('agent/a', [large])
    })().catch((error) => error)
    expect(refused).toMatchObject({ _tag: 'StoreReadOnly' })
    expect(await store.head()).toBe(written)
    await free()
    await store.append('agent/a', [large])
    expect((await all(store.readAll())).length).toBe(written + 1)
    expect(await verifyDatabase(url)).toMatchObject({ ok: true })
  })
})

describe.skipIf(!hasPostgres)('PostgreSQL', () => {
  let server: KeptServer
  beforeAll(async () => {
    server = await keptServer()
  })
  afterAll(() => server.stop())

  test('that crashes and is started again under appends loses none that was answered, and writes none twice', async () => {
    await using store = await postgresStore(urlOf(server, 'postgres'), { schema: 'crashed' })
    await appendsDuring(store, async () => {
      await server.crash()
      await server.start()
    })
  })

  test('that does not come back is an error that says so, and what is appended after its return is written', async () => {
    await using store = await postgresStore(urlOf(server, 'postgres'), { schema: 'gone', patienceMs: 100 })
    await store.append('agent/a', [counted(1)])
    await server.crash()
    await expect(store.append('agent/a', [counted(2)])).rejects.toSatisfy(
      (error) => error instanceof StoreUnavailable && error.retryable && /doctor --database/.test(error.hint),
    )
    await expect(all(store.read('agent/a'))).rejects.toMatchObject({ _tag: 'StoreUnavailable' })
    await server.start()
    await store.append('agent/a', [counted(2)])
    expect((await all(store.read('agent/a'))).map(({ data }) => data.n)).toEqual([1, 2])
  })
})

describe.skipIf(!hasPostgres)('A connection', () => {
  test('that PostgreSQL ends in the middle of appends costs none of them, and writes none twice', async () => {
    const { url, schema } = await place()
    await using store = await postgresStore(url, { schema })
    await appendsDuring(store, async () => {
      for (let round = 0; round < 10; round++)
        await query(
          url,
          `select pg_terminate_backend(pid) from pg_stat_activity
            where application_name like 'claude-agents %' and datname = current_database() and pid <> pg_backend_pid()`,
        )
    })
  })

  test('that is made again while the store is closed does not keep it from the next process', async () => {
    const { url, schema } = await place()
    const database = await PostgresDatabase.at(url, { schema })
    const watermark = new Watermark()
    const session = await PostgresSession.open({ database, access: 'exclusive', watermark, onLost() {} })
    const connect = database.connect.bind(database)
    let isClosed = () => {}
    const closed = new Promise<void>((resolve) => (isClosed = resolve))
    let end = vi.fn<() => Promise<void>>()
    const connecting = new Promise<void>((resolve) => {
      database.connect = async (...options) => {
        resolve()
        await closed
        const connection = await connect(...options)
        end = vi.spyOn(connection, 'end')
        return connection
      }
    })
    await query(
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity
        where query like '%from "${schema}".store' and pid <> pg_backend_pid()`,
    )
    await connecting
    await session.close()
    isClosed()
    await vi.waitFor(() => expect(end).toHaveBeenCalled())
    await (await postgresStore(url, { schema }))[Symbol.asyncDispose]()
    await database.close()
  })

  test.each([
    ['', async () => {}],
    [', also if others have opened the log so often since that the writer is forgotten', forgetWriters],
  ])(
    'that breaks after a commit and before its answer: the append is written once, and answered%s',
    async (_, meanwhile) => {
      const { url, schema } = await place()
      const between = await proxy(url)
      await using store = await postgresStore(between.url, { schema, access: 'shared' })
      await store.append('agent/a', [counted(1)])
      await meanwhile(url, schema)
      between.swallowAnswers()
      const appended = store.append('agent/a', [counted(2)], { expectedVersion: 1 })
      await using other = await postgresStore(url, { schema, access: 'reading' })
      while ((await other.head()) < 2) await new Promise(setImmediate)
      between.cut()
      expect((await appended).map(({ version }) => version)).toEqual([2])
      expect((await all(store.readAll())).map(({ data }) => data.n)).toEqual([1, 2])
    },
  )
})

/** As many openings of a log as let it forget its writers. */
async function forgetWriters(url: string, schema: string): Promise<void> {
  await query(url, `select setval('${schema}.epochs', nextval('${schema}.epochs') + 1000000)`)
  await (await postgresStore(url, { schema, access: 'shared' }))[Symbol.asyncDispose]()
}

/** Between a store and its database: it can keep the answers to itself, and break all connections. */
async function proxy(url: string) {
  const folder = await mkdtemp(join(tmpdir(), 'proxy-'))
  const there = `${new URL(url.replace('@/', '@x/')).searchParams.get('host')}/.s.PGSQL.5432`
  const sockets = new Set<Socket>()
  let isMute = false
  const server = createServer((client) => {
    const upstream = open(there)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => other.destroy())
      one.on('data', (bytes) => {
        if (one === client || !isMute) other.write(bytes)
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(`${folder}/.s.PGSQL.5432`, resolve))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    isMute = false
  }
  onTestFinished(async () => {
    cut()
    server.close()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    url: url.replace(/host=.*/, `host=${encodeURIComponent(folder)}`),
    cut,
    swallowAnswers() {
      isMute = true
    },
  }
}
