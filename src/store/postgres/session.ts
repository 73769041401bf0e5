/**
 * The connection that stays as long as a store is open. It keeps other processes out, hears what they append, and notices
 * when the store is lost: to another process, or to a standby that lacks what was acknowledged.
 */
import { randomUUID } from 'node:crypto'
import { inBackground, pause, systemClock } from '../../clock.ts'
import { StoreInUse, StoreLockLost, StoreNotOpened, UnsupportedFormat } from '../../events/errors/store.ts'
import { defined } from '../../events/json.ts'
import type { Watermark } from '../follow.ts'
import { genesisHash } from '../level/entries.ts'
import type { PostgresConnection, PostgresDatabase } from './database.ts'
import { migrate, SCHEMA_VERSION, versionOf } from './schema.ts'

/**
 * How a process uses the store. `exclusive`: alone, as on LevelDB. `shared`: several processes write, and each claims the
 * streams that it decides for. `reading`: beside any of them, also on a standby, and nothing is written.
 */
export type StoreAccess = 'exclusive' | 'shared' | 'reading'

/** How often PostgreSQL is asked what is new, in case a notification was lost. */
const POLL_MS = 1000
/** PostgreSQL ends the session of a process that is frozen or cut off, and others can open the store. */
const FORGOTTEN_AFTER_MS = 15_000
const ANSWER_MS = 10_000
/** A killed process holds the store until PostgreSQL has noticed. */
const ATTEMPTS = 10
const BETWEEN_ATTEMPTS_MS = 100
/** The first one that ends idle sessions. */
const OLDEST_SERVER = 140_000

export class PostgresSession {
  readonly storeId: string
  readonly forReading: boolean
  /** Larger than that of every earlier writer. */
  readonly epoch: number
  readonly #database: PostgresDatabase
  readonly #access: StoreAccess
  readonly #watermark: Watermark
  readonly #onLost: (error: StoreLockLost) => void
  #connection: PostgresConnection | undefined
  #isHeld = true
  #lost: StoreLockLost | undefined
  #stopPolling = () => {}
  #isClosed = false

  private constructor(
    { storeId, forReading, epoch }: OpenedLog,
    { database, access, watermark, onLost }: SessionParts,
  ) {
    this.storeId = storeId
    this.forReading = forReading
    this.epoch = epoch
    this.#database = database
    this.#access = access
    this.#watermark = watermark
    this.#onLost = onLost
  }

  /** @throws StoreNotOpened, StoreInUse, UnsupportedFormat */
  static async open(parts: SessionParts): Promise<PostgresSession> {
    const { database, access } = parts
    try {
      const connection = await database.connect(ANSWER_MS)
      try {
        const session = new PostgresSession(await openLog(connection, database, access), parts)
        await session.#hear(connection)
        await session.#poll(connection)
        session.#keepPolling()
        return session
      } catch (error) {
        await connection.end()
        throw error
      }
    } catch (error) {
      throw database.notOpened(error)
    }
  }

  /** The epoch of the process that has the store for itself: this one, or 0 if it is shared. */
  get owner(): number {
    return this.#access === 'exclusive' ? this.epoch : 0
  }

  /** Why nothing can be written any more. */
  get lost(): StoreLockLost | undefined {
    return this.#lost
  }

  /** Something was appended up to this position. */
  heard(position: number): void {
    if (position > this.#watermark.position) this.#watermark.advance(position)
  }

  /** The store has another owner, or another history: whatever this process holds is outdated. */
  lose(problem = 'another process has taken it over while this one was cut off'): StoreLockLost {
    const { path } = this.#database
    if (!this.#lost) {
      this.#lost = new StoreLockLost({ path, file: path, problem })
      this.#stopPolling()
      this.#watermark.end()
      this.#onLost(this.#lost)
    }
    return this.#lost
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopPolling()
    // Its end would let the next process in as well, but a little later.
    await this.#connection?.rows('select pg_advisory_unlock_all()').catch(() => {})
    await this.#connection?.end()
  }

  #keepPolling(): void {
    this.#stopPolling = inBackground(systemClock, POLL_MS, () => {
      void this.#tick().then(() => {
        if (!this.#isClosed && !this.#lost) this.#keepPolling()
      })
    })
  }

  /** Never rejects: what fails is done again by the next one. */
  async #tick(): Promise<void> {
    try {
      this.#connection ??= await this.#connectAgain()
      await this.#poll(this.#connection)
    } catch {
      await this.#disconnect()
    }
    // It may have been closed while this connected again: the lock would keep others out.
    if (this.#isClosed) await this.#disconnect()
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.end()
  }

  async #connectAgain(): Promise<PostgresConnection> {
    const connection = await this.#database.connect(ANSWER_MS)
    this.#isHeld = false
    await this.#hear(connection)
    return connection
  }

  async #hear(connection: PostgresConnection): Promise<void> {
    connection.listen(
      (payload) => this.heard(Number(payload)),
      () => {
        if (this.#connection === connection) this.#connection = undefined
      },
    )
    this.#connection = connection
    await connection.rows(`set idle_session_timeout = ${FORGOTTEN_AFTER_MS}`)
    // A standby refuses it: a reader finds what is new by asking.
    if (this.#access !== 'reading' || !(await isStandby(connection)))
      await connection.rows(`listen ${connection.schema}`)
    connection.letProcessEnd()
  }

  async #poll(connection: PostgresConnection): Promise<void> {
    // What is known before the question is asked cannot be missing from its answer.
    const { position: known } = this.#watermark
    const { position, owner } = await logRow(connection)
    if (this.#access !== 'reading' && owner !== this.owner) this.lose()
    else if (position < known) this.lose(`it ends at position ${position}, but position ${known} was written`)
    else this.heard(position)
    // Who has the lock does not matter to what is written here, only to those who want to open the store.
    if (!this.#isHeld) this.#isHeld = await hold(connection, this.#access)
  }
}

export interface SessionParts {
  readonly database: PostgresDatabase
  readonly access: StoreAccess
  readonly watermark: Watermark
  readonly onLost: (error: StoreLockLost) => void
}

interface OpenedLog {
  readonly storeId: string
  readonly forReading: boolean
  readonly epoch: number
}

async function openLog(
  connection: PostgresConnection,
  database: PostgresDatabase,
  access: StoreAccess,
): Promise<OpenedLog> {
  const { schema } = connection
  await checkServer(connection, database, access)
  if (access === 'reading') await requireLog(connection)
  else await takeLog(connection, access)
  const { storeId, forReading } = await logRow(connection)
  const next =
    access === 'reading'
      ? `select coalesce(max(epoch), 0) + 1 as epoch from ${schema}.writers`
      : `select ${schema}.open_writer(${access === 'exclusive'}) as epoch`
  const [row] = await connection.rows<{ epoch: string }>(next)
  return { storeId, forReading, epoch: Number(row?.epoch) }
}

/** Makes the tables if there are none, and keeps other processes out as long as the connection lasts. */
async function takeLog(connection: PostgresConnection, access: StoreAccess): Promise<void> {
  const { path, schema } = connection
  await migrate(connection)
  const storeId = randomUUID()
  await connection.rows(
    `insert into ${schema}.store (store_id, hash) values ($1, $2) on conflict do nothing`,
    [storeId, genesisHash(storeId)],
  )
  for (let attempt = 1; !(await hold(connection, access)); attempt++) {
    if (attempt === ATTEMPTS)
      throw new StoreInUse(defined({ path, pid: null, holder: (await holder(connection)) ?? undefined }))
    await pause(systemClock, BETWEEN_ATTEMPTS_MS)
  }
}

/** A connection that has the log for itself until it ends. */
export async function openForBuilding(database: PostgresDatabase): Promise<PostgresConnection> {
  const connection = await database.connect()
  try {
    await checkServer(connection, database, 'exclusive')
    await takeLog(connection, 'exclusive')
    return connection
  } catch (error) {
    await connection.end()
    throw error
  }
}

/** The one row of the table that every append locks. */
export async function logRow(connection: PostgresConnection) {
  const [row] = await connection.rows<{
    store_id: string
    for_reading: boolean
    position: string
    hash: string
    owner: string
  }>(`select store_id, for_reading, position, hash, owner from ${connection.schema}.store`)
  if (!row) throw noLog(connection)
  const { store_id: storeId, for_reading: forReading, position, hash, owner } = row
  return { storeId, forReading, position: Number(position), hash, owner: Number(owner) }
}

/** Throws if there is no log, or one of another version. */
export async function requireLog(connection: PostgresConnection): Promise<void> {
  const found = await versionOf(connection)
  const { path } = connection
  if (found === 0) throw noLog(connection)
  if (found !== SCHEMA_VERSION) throw new UnsupportedFormat({ path, found, known: SCHEMA_VERSION })
}

const noLog = ({ path, schema }: PostgresConnection) =>
  new StoreNotOpened({
    path,
    code: 'NO_LOG',
    problem: `it has no log in the schema ${schema}`,
    hint: 'Begin one: claude-agents agent create ID "SYSTEM PROMPT". Or bring one: claude-agents log restore FILE',
  })

async function isStandby(connection: PostgresConnection): Promise<boolean> {
  const [row] = await connection.rows<{ is_standby: boolean }>('select pg_is_in_recovery() as is_standby')
  return row?.is_standby ?? false
}

/** Throws StoreNotOpened for a server on which the promises of a store would not hold. */
export async function checkServer(
  connection: PostgresConnection,
  database: PostgresDatabase,
  access: StoreAccess,
): Promise<void> {
  const [server] = await connection.rows<{
    number: string
    version: string
    encoding: string
  }>(`select current_setting('server_version_num') as number, current_setting('server_version') as version,
        current_setting('server_encoding') as encoding`)
  if (!server) return
  const refuse = (code: string, problem: string, hint: string) => {
    throw new StoreNotOpened({ path: connection.path, code, problem, hint })
  }
  if (Number(server.number) < OLDEST_SERVER)
    refuse('OLD_SERVER', `its version ${server.version} is too old`, 'PostgreSQL 14 or newer is needed.')
  if (server.encoding !== 'UTF8')
    refuse(
      'NOT_UTF8',
      `its encoding is ${server.encoding}`,
      "Make a database with another one: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0",
    )
  if (access !== 'reading' && (await isStandby(connection)))
    refuse('STANDBY', 'it is a standby, which takes no writes', 'Connect to the primary.')
  if ((await poolerOf(connection, database)) === 'transaction')
    refuse(
      'POOLER',
      'a pooler in transaction mode is in front of it, where no lock and no notification lasts',
      'Connect to PostgreSQL itself, or to a pooler in session mode.',
    )
}

/** What is in front of PostgreSQL: nothing, or a pooler that gives a client its own session, or none. */
export async function poolerOf(
  connection: PostgresConnection,
  database: PostgresDatabase,
): Promise<'none' | 'session' | 'transaction'> {
  if (await connection.isDirect()) return 'none'
  const other = await database.connect(ANSWER_MS)
  try {
    // Two clients that are connected at once never meet in one session.
    for (let round = 0; round < 3; round++) {
      const mark = randomUUID()
      const [own] = await connection.rows<{ pid: number }>(
        `select set_config('claude_agents.mark', $1, false), pg_backend_pid() as pid`,
        [mark],
      )
      const look = `select coalesce(current_setting('claude_agents.mark', true), '') as mark, pg_backend_pid() as pid`
      const [its] = await other.rows<{ pid: number; mark: string }>(look)
      const [again] = await connection.rows<{ pid: number; mark: string }>(look)
      if (its?.pid === own?.pid || its?.mark === mark || again?.mark !== mark) return 'transaction'
    }
    return 'session'
  } finally {
    await other.end()
  }
}

const LOCK = `hashtextextended('claude-agents: opening ' || $1, 0)`

/** Exclusive openings keep out all others, and shared ones those. */
async function hold(connection: PostgresConnection, access: StoreAccess): Promise<boolean> {
  if (access === 'reading') return true
  const lock = access === 'exclusive' ? 'pg_try_advisory_lock' : 'pg_try_advisory_lock_shared'
  const [row] = await connection.rows<{ is_held: boolean }>(`select ${lock}(${LOCK}) as is_held`, [
    connection.schema,
  ])
  return row?.is_held ?? false
}

/** The process that has the store open, as it calls itself. */
export async function holder(connection: PostgresConnection): Promise<string | null> {
  const [row] = await connection.rows<{ name: string | null }>(
    `select activity.application_name as name
       from pg_locks as held join pg_stat_activity as activity using (pid)
      where held.locktype = 'advisory' and held.granted and held.pid <> pg_backend_pid()
        and held.database = (select oid from pg_database where datname = current_database())
        and (held.classid::bigint << 32 | held.objid::bigint) = ${LOCK} limit 1`,
    [connection.schema],
  )
  return row ? row.name || 'another process' : null
}
