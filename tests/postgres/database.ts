/** Databases for tests, on the server that all of them share. */
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import pg from 'pg'
// @ts-expect-error: a script without types
import { postgresPrograms } from '../../bench/kit/postgres.mjs'
import type { KeptServer } from './server.ts'

/** Whether these tests can run here; CI installs it. */
export const hasPostgres: boolean = postgresPrograms() !== undefined

/** The URL of a database on a server that listens on a socket. */
export const urlOf = ({ folder }: Pick<KeptServer, 'folder'>, database: string, user = 'owner') =>
  `postgresql://${user}@/${database}?host=${encodeURIComponent(folder)}`

/** The folder of the server, which is started when the first test asks. */
const server = async () => ({ folder: await text(connect(process.env.TEST_POSTGRES ?? '')) })

/** The URL of a database of its own. */
export async function newDatabase(options = ''): Promise<string> {
  const { folder } = await server()
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await query(urlOf({ folder }, 'postgres'), `create database ${name} ${options}`)
  return urlOf({ folder }, name)
}

let shared: Promise<string> | undefined

/** The database of this test file, and a schema that nothing else uses. */
export async function place(): Promise<{ readonly url: string; readonly schema: string }> {
  shared ??= newDatabase()
  return { url: await shared, schema: `s${randomUUID().replaceAll('-', '')}` }
}

/** Runs statements on a connection of its own. */
export async function query<Row extends object>(
  url: string,
  statements: string,
  values?: readonly unknown[],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(statements, values as unknown[])).rows
  } finally {
    await client.end()
  }
}

/** Ends the session that has the store open, as PostgreSQL does with one that it has not heard of for long. */
export async function cutOff(url: string, schema: string): Promise<void> {
  await query(
    url,
    `select pg_terminate_backend(held.pid) from pg_locks as held
      where held.locktype = 'advisory' and held.database = (select oid from pg_database where datname = current_database())
        and (held.classid::bigint << 32 | held.objid::bigint) = hashtextextended('claude-agents: opening "${schema}"', 0)`,
  )
}
