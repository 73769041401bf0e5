/** Opening a log on PostgreSQL: who may, and what is said to those who cannot. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { type PostgresStoreOptions, postgresStore } from '../../../src/store/postgres/store.ts'
import { withoutPassword } from '../../../src/store/postgres/url.ts'
import { verifyDatabase } from '../../../src/store/postgres/verification.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { cutOff, hasPostgres, newDatabase, place, query } from '../../postgres/database.ts'
import { all, counted } from '../store-kit.ts'

const hostOf = (url: string) => decodeURIComponent(/host=([^&]*)/.exec(url)?.[1] ?? '')
const databaseIn = (url: string) => /\/([^/?]+)\?/.exec(url)?.[1] ?? ''
const as = (user: string, url: string) => url.replace('//owner@', `//${user}@`)

/** What opening a store throws. */
const refusal = async (url: string, options: PostgresStoreOptions = {}) =>
  postgresStore(url, options).then(
    async (store) => {
      await store[Symbol.asyncDispose]()
      throw new Error('it was opened')
    },
    (error) => error,
  )

describe.skipIf(!hasPostgres)('A new database', () => {
  test('can be opened by several processes at once: the tables are made once', async () => {
    const { url, schema } = await place()
    const open = () => postgresStore(url, { schema, access: 'shared' })
    const stores = await Promise.all(Array.from({ length: 6 }, open))
    expect(new Set(stores.map(({ storeId }) => storeId)).size).toBe(1)
    expect(new Set(stores.map(({ epoch }) => epoch)).size).toBe(6)
    await Promise.all(stores.map((store) => store.append('agent/a', [counted(1)])))
    expect(await stores[0]?.head('agent/a')).toBe(6)
    for (const store of stores) await store[Symbol.asyncDispose]()
  })
})

test.skipIf(!hasPostgres)(
  'Tables of an earlier version are brought up to date, with the functions of this one',
  async () => {
    const { url, schema } = await place()
    const earlier = await postgresStore(url, { schema })
    await earlier.append('agent/a', [counted(1)])
    await earlier[Symbol.asyncDispose]()
    await query(
      url,
      `delete from ${schema}.migrations where version > 1; drop table ${schema}.workers, ${schema}.label_groups;
     create or replace function ${schema}.claim(owning bigint, name text, new_token text) returns boolean
       language sql as 'select false'`,
    )
    await using store = await postgresStore(url, { schema })
    const token = (await store.claim?.('agent/a')) ?? ''
    await expect(store.append('agent/a', [counted(2)])).rejects.toMatchObject({ _tag: 'Fenced' })
    await store.append('agent/a', [counted(2)], { token })
  },
)

test.skipIf(!hasPostgres)(
  'A writer of an earlier release, which leaves out nothing and puts notes behind its facts, writes the same records',
  async () => {
    const { url, schema } = await place()
    await using store = await postgresStore(url, { schema })
    const begin = ',"type":"Counted","v":1,"at":"2026-11-30T12:00:00.000Z","epoch":1'
    // Two groups: two facts of one append, the second caused by the first; and one fact. Each has a note.
    await query(
      url,
      `select ${schema}.append(${store.epoch}, ${store.epoch}, 1, '{agent/a,agent/b}', '{once}', '{1,2}', '{1,2}', '{1,0}',
         '{0,null}', '{null,null}', '{2,1}', array['{"open":true,"state":"busy"}', '{"open":false,"state":"idle"}'], '{true,false}', '{true,true}',
         e'${begin},"data":{"n":1}}\\x1e${begin},"causationId":"x-\\x1e${begin},"data":{"n":3}}',
         '{null,0,null}',
         e'\\x1e","data":{"n":2}}\\n{"commitId":"once","count":2,"summary":{"open":true,"state":"busy"}}\\x1e\\n{"summary":{"open":false,"state":"idle"}}')`,
    )
    const facts = await all(store.readAll())
    expect(facts.map(({ stream, version, data }) => [stream, version, data])).toEqual([
      ['agent/a', 1, { n: 1 }],
      ['agent/a', 2, { n: 2 }],
      ['agent/b', 1, { n: 3 }],
    ])
    expect(facts[1]?.causationId).toBe('x-1')
    expect(await all(store.streams({ open: true }))).toMatchObject([{ stream: 'agent/a', version: 2 }])
    expect(await verifyDatabase(url, { schema })).toMatchObject({ ok: true, facts: 3 })
  },
)

describe.skipIf(!hasPostgres)('A store that a process has for itself', () => {
  test('is refused to a second one, which is told who has it, and can be read meanwhile', async () => {
    const { url, schema } = await place()
    const store = await postgresStore(url, { schema })
    await store.append('agent/a', [counted(1)])
    for (const access of ['exclusive', 'shared'] as const)
      expect(await refusal(url, { schema, access })).toMatchObject({
        _tag: 'StoreInUse',
        message: expect.stringContaining(`claude-agents ${process.pid}@`),
      })
    await using reader = await postgresStore(url, { schema, access: 'reading' })
    expect(await all(reader.readAll())).toHaveLength(1)
    await expect(reader.append('agent/a', [counted(2)])).rejects.toMatchObject({ _tag: 'StoreForReading' })
    await expect(reader.blobs.put('x')).rejects.toMatchObject({ _tag: 'StoreForReading' })
    await store[Symbol.asyncDispose]()
    await using next = await postgresStore(url, { schema })
    expect(next.epoch).toBeGreaterThan(store.epoch)
  })

  test('is lost to the process that opens it while this one is cut off: nothing more is written, and its work ends', async () => {
    const { url, schema } = await place()
    await using store = await postgresStore(url, { schema })
    await using orchestrator = await Orchestrator.open({ store, runner: scriptedRunner() })
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'You help.' })
    const head = await store.head()
    await cutOff(url, schema)
    await using next = await postgresStore(url, { schema })
    await expect(store.append('agent/a', [counted(1)])).rejects.toMatchObject({
      _tag: 'StoreLockLost',
      message: expect.stringContaining('another process has taken it over'),
    })
    await expect(store.claim?.('agent/a')).rejects.toMatchObject({ _tag: 'StoreLockLost' })
    expect(await orchestrator.failed).toMatchObject({ _tag: 'StoreLockLost' })
    expect(await next.head()).toBe(head)
  })
})

describe.skipIf(!hasPostgres)('Processes that share a store', () => {
  test('keep one order, fence each other by claims, and follow what all of them write', async () => {
    const { url, schema } = await place()
    const open = () => postgresStore(url, { schema, access: 'shared' })
    const [one, other, third] = await Promise.all([open(), open(), open()])
    const followed = (async () => {
      const positions: number[] = []
      for await (const { position } of third.follow()) if (positions.push(position) === 200) break
      return positions
    })()
    await Promise.all(
      [one, other].map(async (store, writer) => {
        for (let n = 0; n < 100; n++) await store.append(`agent/w${writer}`, [counted(n)])
      }),
    )
    expect(await followed).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
    const stale = await one.claim?.('agent/a')
    const token = await other.claim?.('agent/a')
    await expect(one.append('agent/a', [counted(1)], { token: stale ?? '' })).rejects.toMatchObject({
      _tag: 'Fenced',
    })
    // Also one that has claimed nothing.
    await expect(third.append('agent/a', [counted(1)])).rejects.toMatchObject({ _tag: 'Fenced' })
    await other.append('agent/a', [counted(1)], { token: token ?? '' })
    for (const store of [one, other, third]) await store[Symbol.asyncDispose]()
  })
})

test.skipIf(!hasPostgres)('A process that opens the store for itself ends the claims of others', async () => {
  const { url, schema } = await place()
  const shared = await postgresStore(url, { schema, access: 'shared' })
  const token = (await shared.claim?.('agent/a')) ?? ''
  await shared[Symbol.asyncDispose]()
  const alone = await postgresStore(url, { schema })
  await alone.append('agent/a', [counted(1)])
  await alone[Symbol.asyncDispose]()
  await using again = await postgresStore(url, { schema, access: 'shared' })
  await expect(again.append('agent/a', [counted(2)], { token })).rejects.toMatchObject({ _tag: 'Fenced' })
  await again.append('agent/a', [counted(2)])
})

describe.skipIf(!hasPostgres)('What is said of a database that no store can be in', () => {
  test.each([
    ['postgresql://owner@127.0.0.1:1/agents', 'Start PostgreSQL'],
    ['postgresql://owner@no-such-host.invalid/agents', 'Correct the name of the host'],
  ])('no server: %s', async (url, hint) => {
    expect(await refusal(url)).toMatchObject({
      _tag: 'StoreNotOpened',
      hint: expect.stringContaining(hint),
    })
  })

  test('the user of this machine is named, if neither the URL nor a variable names one', async () => {
    const { user } = pg.defaults
    onTestFinished(() => void Object.assign(pg.defaults, { user }))
    Object.assign(pg.defaults, { user: undefined })
    vi.stubEnv('PGUSER', undefined)
    const { message } = await refusal('postgresql://127.0.0.1:1/agents')
    expect(message).toContain(`postgresql://${userInfo().username}@127.0.0.1:1/agents`)
  })

  test.each(['agents', 'http://x/y', '', 42, 'postgresql://['])('no URL: %j', async (url) => {
    expect(await refusal(url as string)).toMatchObject({ _tag: 'InvalidInputError' })
  })

  test.each([
    ['postgresql://me:s3cret@host:1/db', 'postgresql://me@host:1/db'],
    ['postgresql://me@/db?password=s3cret&host=/tmp', 'postgresql://me@/db?host=/tmp'],
    ['postgresql:///db?host=/tmp&password=s3cret', 'postgresql:///db?host=/tmp'],
    ['postgresql://me@host/db', 'postgresql://me@host/db'],
  ])('a password is not shown: %s', (url, shown) => {
    expect(withoutPassword(url)).toBe(shown)
  })

  test('no such database, and a server without room', async () => {
    const url = await newDatabase('connection limit 0')
    expect(await refusal(url.replace(databaseIn(url), 'none'))).toMatchObject({
      message: expect.stringContaining('database "none" does not exist'),
      hint: expect.stringContaining('createdb'),
    })
    await query(url.replace(databaseIn(url), 'postgres'), 'create role ordinary login')
    expect(await refusal(as('ordinary', url))).toMatchObject({ hint: expect.stringContaining('connection') })
  })

  test('no right to make tables, or to use them', async () => {
    const url = await newDatabase()
    const role = `guest_${databaseIn(url).slice(-8)}`
    await query(url, `create role ${role} login`)
    expect(await refusal(as(role, url))).toMatchObject({
      _tag: 'StoreNotOpened',
      message: expect.stringContaining('permission denied for database'),
      hint: expect.stringContaining('grant create'),
    })
    await (await postgresStore(url))[Symbol.asyncDispose]()
    expect(await refusal(as(role, url))).toMatchObject({ _tag: 'StoreNotOpened' })
  })

  test('a wrong password, which is not repeated', async () => {
    const url = await newDatabase()
    const role = `guarded_${databaseIn(url).slice(-8)}`
    await query(url, `create role ${role} login password 'right'`)
    const [rules] = await query<{ hba_file: string }>(url, 'show hba_file')
    const file = rules?.hba_file ?? ''
    const before = await readFile(file, 'utf8')
    await writeFile(file, `local all ${role} scram-sha-256\n${before}`)
    await query(url, 'select pg_reload_conf()')
    const error = await refusal(as(`${role}:wr0ng`, url))
    expect(error).toMatchObject({
      message: expect.stringContaining(`password authentication failed for user "${role}"`),
      hint: expect.stringContaining('PGPASSWORD'),
    })
    expect(JSON.stringify(error) + error.stack + String(error.cause)).not.toContain('wr0ng')
    expect(await refusal(as(role, url))).toMatchObject({ message: expect.stringContaining('none was given') })
  })

  test('another encoding, an old server and a standby', async () => {
    expect(await refusal(await newDatabase(`encoding 'SQL_ASCII' template template0`))).toMatchObject({
      message: expect.stringContaining('its encoding is SQL_ASCII'),
    })
    // A server that says so of itself: its own functions are found later than these.
    const pretend = async (functions: string) => {
      const url = await newDatabase()
      await query(
        url,
        `create schema pretended; ${functions};
        alter database ${databaseIn(url)} set search_path = pretended, pg_catalog`,
      )
      return url
    }
    const old =
      await pretend(`create function pretended.current_setting(name text) returns text language sql as
      $$ select case name when 'server_version_num' then '130011' when 'server_version' then '13.11'
         else pg_catalog.current_setting(name) end $$`)
    expect(await refusal(old)).toMatchObject({
      message: expect.stringContaining('its version 13.11 is too old'),
      hint: expect.stringContaining('PostgreSQL 14'),
    })
    const standby = await pretend(
      'create function pretended.pg_is_in_recovery() returns boolean language sql as $$ select true $$',
    )
    expect(await refusal(standby)).toMatchObject({ message: expect.stringContaining('it is a standby') })
  })

  test('tables of a newer version are left alone, and a database without a log is not written by a reader', async () => {
    const { url, schema } = await place()
    expect(await refusal(url, { schema, access: 'reading' })).toMatchObject({
      message: expect.stringContaining('it has no log'),
    })
    await (await postgresStore(url, { schema }))[Symbol.asyncDispose]()
    await query(url, `insert into ${schema}.migrations (version) values (999)`)
    for (const access of ['exclusive', 'reading'] as const)
      expect(await refusal(url, { schema, access })).toMatchObject({
        _tag: 'UnsupportedFormat',
        details: { found: 999 },
      })
  })
})

/** Resolves when a connection to this socket is taken. */
async function answers(path: string): Promise<void> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } finally {
    socket.destroy()
  }
}

const POOLER = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer'].find((path) => existsSync(path))

describe.skipIf(!hasPostgres || POOLER === undefined)('A pooler (pgbouncer)', () => {
  /** Starts one, and returns the URL of the same database through it. */
  async function pooled(url: string, mode: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'pooler-'))
    const user = process.getuid?.() === 0 ? 'postgres' : undefined
    const settings = {
      ...{ pool_mode: mode, auth_type: 'any', unix_socket_dir: folder, listen_port: '5432' },
      ignore_startup_parameters: 'extra_float_digits',
    }
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
    const databases = `[databases]\n* = host=${hostOf(url)} user=owner`
    await writeFile(join(folder, 'pooler.ini'), [databases, '[pgbouncer]', ...lines, ''].join('\n'))
    if (user) execFileSync('chown', ['-R', user, folder])
    const args = ['-q', join(folder, 'pooler.ini'), ...(user ? ['-u', user] : [])]
    const pooler = spawn(POOLER ?? '', args, { stdio: 'ignore' })
    onTestFinished(async () => {
      pooler.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    })
    // The socket has a name before anybody listens at it.
    await vi.waitFor(() => answers(join(folder, '.s.PGSQL.5432')), { timeout: 30_000 })
    return url.replace(/host=.*/, `host=${encodeURIComponent(folder)}`)
  }

  test('in transaction mode is refused, and one in session mode is not', async () => {
    const url = await newDatabase()
    expect(await refusal(await pooled(url, 'transaction'))).toMatchObject({
      _tag: 'StoreNotOpened',
      message: expect.stringContaining('a pooler in transaction mode'),
      hint: expect.stringContaining('session mode'),
    })
    await using store = await postgresStore(await pooled(url, 'session'))
    await store.append('agent/a', [counted(1)])
    for await (const recorded of store.follow()) {
      expect(recorded.position).toBe(1)
      break
    }
  })
})
