/** What to know of a database before a log is kept in it: what could lose facts, and what could slow them down. */
import { type Clock, steadyTime, systemClock } from '../../clock.ts'
import { plural } from '../../events/figures.ts'
import { clockSkew, LARGEST_SKEW_MS, skewText } from './clock-skew.ts'
import { type DatabaseOptions, type PostgresConnection, PostgresDatabase } from './database.ts'
import { checkServer, holder, logRow, poolerOf, requireLog } from './session.ts'

export interface DatabaseFinding {
  readonly name: string
  readonly isFine: boolean
  readonly message: string
  /** What to do; empty if it is fine. */
  readonly fix: string
}

/** An append waits about as long. */
const SLOW_MS = 20
/** Of one process, and as many again for what else uses the server. */
const CONNECTIONS_NEEDED = 10
/** What a worker takes at most, and as many again for one that takes the place of another. */
const CONNECTIONS_OF_WORKER = 11
/** What is due is done by the clock of another machine. */
const NOTED_SKEW_MS = 2000

/**
 * Looks at a database, and changes nothing.
 *
 * @throws StoreNotOpened, UnsupportedFormat: no log can be in it
 */
export async function* databaseFindings(
  url: string,
  { clock = systemClock, ...options }: DatabaseOptions & { readonly clock?: Clock } = {},
): AsyncGenerator<DatabaseFinding, void, undefined> {
  await using database = await PostgresDatabase.at(url, options)
  try {
    await using connection = await database.connect()
    yield* findings(connection, database, clock)
  } catch (error) {
    throw database.notOpened(error)
  }
}

async function* findings(connection: PostgresConnection, database: PostgresDatabase, clock: Clock) {
  const { path, schema } = connection
  const finding = (name: string, message: string, fix = ''): DatabaseFinding => ({
    ...{ name, message, fix },
    isFine: fix === '',
  })
  await checkServer(connection, database, 'exclusive')
  const settings = new Map<string, string>()
  const wanted = [
    'server_version',
    'fsync',
    'full_page_writes',
    'synchronous_commit',
    'synchronous_standby_names',
  ]
  for (const { name, setting } of await connection.rows<{ name: string; setting: string }>(
    'select name, setting from pg_settings where name = any($1)',
    [wanted],
  ))
    settings.set(name, setting)
  const pooler = (await poolerOf(connection, database)) === 'none' ? '' : ', through a pooler in session mode'
  yield finding('database', `PostgreSQL ${settings.get('server_version')} at ${path}${pooler}`)
  yield await rights(connection, finding)
  const unsafe = ['fsync', 'full_page_writes'].filter((name) => settings.get(name) === 'off')
  if (unsafe.length > 0) {
    const fix = 'Switch it on: without it, a crash of the machine can lose or damage facts.'
    yield finding('durability', `${unsafe.join(' and ')} is off`, fix)
  } else if (settings.get('synchronous_commit') === 'off')
    yield finding('durability', 'synchronous_commit is off, and is on for each append')
  else yield finding('durability', `synchronous_commit is ${settings.get('synchronous_commit')}`)
  const [standbys] = await connection.rows<{ count: string }>('select count(*) from pg_stat_replication')
  const count = Number(standbys?.count)
  if (count > 0 && settings.get('synchronous_standby_names') === '')
    yield finding(
      'standbys',
      `${plural(count, 'standby', 'standbys')}, none of them synchronous`,
      'Set synchronous_standby_names: a failover to an asynchronous one loses what was acknowledged last.',
    )
  else yield finding('standbys', count === 0 ? 'none is connected' : plural(count, 'standby', 'standbys'))
  const latency = await latencyOf(connection)
  const measured = `${latency.toFixed(1)} ms for an answer`
  yield latency > SLOW_MS
    ? finding('latency', measured, 'Every append takes at least as long: use a database that is nearer.')
    : finding('latency', measured)
  const skewMs = await clockSkew((text) => connection.rows<{ now: number }>(text), clock)
  yield Math.abs(skewMs) < NOTED_SKEW_MS
    ? finding('clock', 'the same as that of the database')
    : finding(
        'clock',
        `${skewText(skewMs)} that of the database`,
        `Set both by the network: timedatectl set-ntp true. A worker with more than ${LARGEST_SKEW_MS / 1000} s is refused.`,
      )
  const isThere = await connection.rows('select from pg_namespace where nspname = $1', [schema.slice(1, -1)])
  const workers = isThere.length === 0 ? 0 : await workerCount(connection)
  const [room] = await connection.rows<{ free: number; most: number }>(
    `select current_setting('max_connections')::int - (select count(*) from pg_stat_activity)::int as free,
            current_setting('max_connections')::int as most`,
  )
  const free = `${room?.free} of ${room?.most} are free`
  const most = room?.most ?? 0
  const needed = CONNECTIONS_NEEDED + workers * CONNECTIONS_OF_WORKER
  if (workers > 0 && most < needed + CONNECTIONS_OF_WORKER)
    yield finding(
      'connections',
      `${free}, and ${plural(workers, 'worker')} take up to ${workers * CONNECTIONS_OF_WORKER}`,
      `Raise max_connections to ${needed + CONNECTIONS_OF_WORKER} or more: a worker takes up to ${CONNECTIONS_OF_WORKER}, and one that is replaced overlaps with the next.`,
    )
  else if ((room?.free ?? 0) < CONNECTIONS_NEEDED)
    yield finding('connections', free, 'Raise max_connections: a process takes up to 5.')
  else yield finding('connections', free)
  if (isThere.length === 0) yield finding('log', 'none yet')
  else {
    await requireLog(connection)
    const { position } = await logRow(connection)
    const by = await holder(connection)
    yield finding('log', `${plural(position, 'fact')}${by === null ? '' : `, in use by ${by}`}`)
  }
}

async function rights(
  connection: PostgresConnection,
  finding: (name: string, message: string, fix?: string) => DatabaseFinding,
): Promise<DatabaseFinding> {
  const [row] = await connection.rows<{ may_create: boolean; user: string; database: string }>(
    `select has_database_privilege(current_database(), 'create') or exists (
       select from pg_namespace where nspname = $1 and has_schema_privilege(oid, 'create')) as may_create,
       current_user as user, current_database() as database`,
    [connection.schema.slice(1, -1)],
  )
  if (row?.may_create) return finding('rights', `${row.user} may make the tables of a log`)
  const fix = `As an administrator: grant create on database ${row?.database} to ${row?.user}`
  return finding('rights', `${row?.user} may not make tables in ${row?.database}`, fix)
}

/** Those that were heard of; 0 in a log of before there were any. */
async function workerCount(connection: PostgresConnection): Promise<number> {
  const { schema } = connection
  const [table] = await connection.rows<{ name: string | null }>('select to_regclass($1)::text as name', [
    `${schema}.workers`,
  ])
  if (!table?.name) return 0
  const [found] = await connection.rows<{ count: number }>(
    `select count(*)::int as count from ${schema}.workers where seen > now() - interval '15 s'`,
  )
  return found?.count ?? 0
}

async function latencyOf(connection: PostgresConnection): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < 5; round++) {
    const begin = steadyTime(systemClock)
    await connection.rows('select')
    times.push(steadyTime(systemClock) - begin)
  }
  return times.sort((one, other) => one - other)[2] ?? 0
}
