/**
 * The connections to a database of PostgreSQL. Each statement of this room can be repeated without harm, so one that was not
 * answered is sent again, on another connection, until it is.
 */
import { hostname, userInfo } from 'node:os'
import type pg from 'pg'
import { pause, steadyTime, systemClock } from '../../clock.ts'
import { StoreDamaged, StoreNotOpened, StoreReadOnly, StoreUnavailable } from '../../events/errors/store.ts'
import { ClosedError, InvalidInputError } from '../../events/errors/usage.ts'
import { hostLogger, type Logger } from '../../logger.ts'
import { isCutOff, isDatabaseUrl } from './url.ts'

export interface DatabaseOptions {
  /** The schema that holds the log. Default: `claude_agents`. */
  readonly schema?: string
  /** The most connections at once, at least 2. One of them is held as long as the store is open. Default: 5. */
  readonly connections?: number
  /** For how long what PostgreSQL does not answer is tried again, in ms. Default: 30 s. */
  readonly patienceMs?: number
  readonly logger?: Logger
}

const CONNECTIONS = 5
const PATIENCE_MS = 30_000
const FIRST_DELAY_MS = 50
const LONGEST_DELAY_MS = 2000
const CONNECT_MS = 10_000
/** A statement takes less, unless the network is gone without a word. */
const ANSWER_MS = 60_000

/** What is used of a client of `pg`. Its own types would be missing for those who have not installed it. */
interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: never[] }>
  on(event: 'notification', heard: (message: { readonly payload?: string | undefined }) => void): unknown
  once(event: 'end', gone: () => void): unknown
  end(): Promise<void>
}

/** One connection, with what statements need to know of where it leads. */
export class PostgresConnection {
  /** For messages: without the password. */
  readonly path: string
  /** The schema as a part of SQL, in quotes. */
  readonly schema: string
  readonly #client: PostgresClient

  constructor(client: PostgresClient, path: string, schema: string) {
    this.#client = client
    this.path = path
    this.schema = schema
  }

  /** Rejects with the error of `pg`. */
  async rows<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    const { rows } = await this.#client.query(text, values as unknown[])
    return rows
  }

  /** Does work that is committed as a whole, or not at all. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.rows('begin')
    try {
      const result = await work()
      await this.rows('commit')
      return result
    } catch (error) {
      await this.rows('rollback').catch(() => {})
      throw error
    }
  }

  /** Whether nothing is in front of PostgreSQL: a pooler invents the number of the backend that a client is told. */
  async isDirect(): Promise<boolean> {
    const [row] = await this.rows<{ pid: number }>('select pg_backend_pid() as pid')
    return row?.pid === (this.#client as { processID?: number }).processID
  }

  /** Calls back for each notification, and once when the connection is gone. */
  listen(heard: (payload: string) => void, gone: () => void): void {
    this.#client.on('notification', ({ payload = '' }) => heard(payload))
    this.#client.once('end', gone)
  }

  /** It alone keeps no process alive from now on. */
  letProcessEnd(): void {
    ;(this.#client as unknown as { unref(): void }).unref()
  }

  /** Ends at once: what is on its way is not waited for. */
  async end(): Promise<void> {
    await this.#client.end().catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end()
  }
}

export class PostgresDatabase {
  readonly path: string
  readonly schema: string
  readonly #library: typeof pg
  readonly #config: pg.ClientConfig
  readonly #pool: pg.Pool
  readonly #patienceMs: number
  readonly #logger: Logger
  readonly #closing = new AbortController()

  private constructor(library: typeof pg, config: pg.ClientConfig, path: string, options: DatabaseOptions) {
    this.path = path
    this.schema = quotedSchema(options.schema ?? 'claude_agents')
    this.#library = library
    this.#config = config
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#logger = hostLogger(options.logger)
    const max = (options.connections ?? CONNECTIONS) - 1
    if (!Number.isSafeInteger(max) || max < 1)
      throw new InvalidInputError({ what: 'connections', problem: 'it must be a whole number, at least 2' })
    this.#pool = new library.Pool({ ...config, max, allowExitOnIdle: true, onConnect: prepare })
    // An idle connection is gone: the next statement makes another one.
    this.#pool.on('error', () => {})
  }

  /** @throws InvalidInputError, MissingPackage */
  static async at(url: string, options: DatabaseOptions = {}): Promise<PostgresDatabase> {
    const library = await loadLibrary()
    // As psql does it, also where no variable says who this is.
    library.defaults.user ??= userName()
    const config: pg.ClientConfig = {
      connectionString: checkUrl(url),
      application_name: `claude-agents ${process.pid}@${hostname()}`.slice(0, 63),
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ANSWER_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: CONNECT_MS,
    }
    return new PostgresDatabase(library, config, pathOf(library, config), options)
  }

  /** A connection of its own. Rejects with the error of `pg`. */
  async connect(answerMs = ANSWER_MS): Promise<PostgresConnection> {
    const client = new this.#library.Client({ ...this.#config, query_timeout: answerMs })
    // Also what ends it in the moment in which it is made.
    client.on('error', () => {})
    const connection = new PostgresConnection(client, this.path, this.schema)
    try {
      await client.connect()
      await prepare(client)
      return connection
    } catch (error) {
      await connection.end()
      throw error
    }
  }

  /**
   * What a statement answers. While PostgreSQL does not answer, it is sent again.
   *
   * @param name By which a connection keeps it prepared.
   * @param answerMs After so long without an answer the connection is given up.
   * @throws StoreUnavailable, StoreReadOnly, StoreDamaged, ClosedError
   */
  async rows<Row extends object>(
    name: string,
    text: string,
    values: readonly unknown[] = [],
    answerMs = ANSWER_MS,
  ): Promise<Row[]> {
    const statement = { name, text, values: values as unknown[], query_timeout: answerMs }
    const giveUpAt = steadyTime(systemClock) + this.#patienceMs
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
      if (this.#closing.signal.aborted) throw new ClosedError({ what: 'store' })
      try {
        return (await this.#pool.query(statement)).rows
      } catch (error) {
        if (!mayPass(error) || steadyTime(systemClock) + delayMs > giveUpAt) throw this.failure(error)
        this.#logger.warn({ store: this.path, error: (error as Error).message }, 'PostgreSQL is asked again')
        await pause(systemClock, delayMs, this.#closing.signal)
      }
    }
  }

  /** What an error of `pg` means while the store is open. */
  failure(cause: unknown): Error {
    const { path } = this
    const problem = problemOf(cause)
    const code = codeOf(cause)
    if (NO_ROOM.test(code) || code === '42501') return new StoreReadOnly({ path, problem }, { cause })
    if (DAMAGE.test(code)) return new StoreDamaged({ path, file: 'PostgreSQL', problem }, { cause })
    return new StoreUnavailable({ path, problem }, { cause })
  }

  /** What an error of `pg` means when the store is opened; other errors as they are. */
  notOpened(cause: unknown): unknown {
    if (!isFromPg(cause)) return cause
    const { path } = this
    const code = codeOf(cause)
    const [, hint] = HINTS.find(([pattern]) => pattern.test(code || (cause as Error).message)) ?? []
    return new StoreNotOpened(
      {
        path,
        code,
        problem: problemOf(cause),
        hint: hint ?? 'Check it: claude-agents doctor --database URL',
      },
      { cause },
    )
  }

  /** Statements that wait are given up. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    await this.#pool.end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Every connection: a lost one emits an error, which would end the process if nothing listened. */
async function prepare(client: pg.ClientBase): Promise<void> {
  client.on('error', () => {})
  // Whatever the server's settings say, a statement sees what was written before it.
  await client.query('set session characteristics as transaction isolation level read committed')
}

async function loadLibrary(): Promise<typeof pg> {
  try {
    return (await import('pg')).default
  } catch (cause) {
    throw new InvalidInputError(
      { what: 'pg', problem: 'this package is not installed', hint: 'npm install pg@~8.23.1' },
      { cause },
    )
  }
}

/** undefined for a user without an entry in the system. */
function userName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}

/** No cause: the error of a parser has the whole text, with the password. */
function checkUrl(url: string): string {
  if (isDatabaseUrl(url) && !isCutOff(url)) return url
  throw notAUrl()
}

const notAUrl = () =>
  new InvalidInputError({
    what: 'The database',
    problem: 'it is not a URL of a PostgreSQL database',
    hint: 'Write it like this: postgresql://USER@HOST:5432/DATABASE. In a password, write / as %2F, ? as %3F and # as %23.',
  })

/** What a URL comes to, for another library. */
export async function serverAddress(url: string) {
  const library = await loadLibrary()
  const { user, password, host, port, database, ssl } = new library.Client({
    connectionString: checkUrl(url),
  })
  return { user, password: password ?? undefined, host, port, database, ssl: ssl !== false }
}

function pathOf(library: typeof pg, config: pg.ClientConfig): string {
  try {
    const { user, host, port, database } = new library.Client(config)
    if (host.startsWith('/'))
      return `postgresql://${user ?? ''}@/${database ?? ''}?host=${host}${port === 5432 ? '' : `&port=${port}`}`
    return `postgresql://${user ?? ''}@${host}:${port}/${database ?? ''}`
  } catch {
    throw notAUrl()
  }
}

function quotedSchema(name: string): string {
  if (/^[a-z_][a-z0-9_]{0,50}$/.test(name)) return `"${name}"`
  throw new InvalidInputError({
    what: 'schema',
    problem: `${JSON.stringify(name)} is not a name of a schema: a-z, 0-9 and _, at most 51 of them`,
  })
}

/** The server restarts, fails over, has no connection left, or ended the statement for the sake of others. */
const PASSING = /^(?:08|57P0|57014|53300|40001|40P01|25006|55P03|0A000|E[A-Z_]+$)/
const LOST =
  /^(?:Connection terminated|Client has encountered|Query read timeout|timeout expired|timeout exceeded)/
const NO_ROOM = /^53[12]00$/
const DAMAGE = /^XX00[12]$/

const codeOf = (error: unknown): string => {
  const { code } = Object(error) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

const mayPass = (error: unknown) =>
  PASSING.test(codeOf(error)) || (codeOf(error) === '' && LOST.test((error as Error).message))

/** An error of PostgreSQL, of the network or of `pg`, as opposed to one of this program, or of its files. */
const isFromPg = (error: unknown) =>
  (codeOf(error) !== '' && !('path' in Object(error))) ||
  LOST.test((error as Error).message) ||
  /^SASL/.test((error as Error).message)

/** Ready to follow the name of the database and a colon. */
function problemOf(error: unknown): string {
  const { message, errors } = error as Error & { errors?: readonly Error[] }
  const said = message || (errors?.[0]?.message ?? codeOf(error))
  if (/^SASL: .*password/.test(said)) return 'it asks for a password, and none was given'
  return said.replace(/\.$/, '')
}

const HINTS: readonly (readonly [code: RegExp, hint: string])[] = [
  [
    /^(?:ECONN|ENOENT|EHOST|ENET|ETIMEDOUT|timeout|57P03|PostgresConnection)/,
    'Start PostgreSQL, or correct the host and the port.',
  ],
  [/^(?:ENOTFOUND|EAI_)/, 'Correct the name of the host.'],
  [/^3D000/, 'Create the database (createdb NAME), or correct its name.'],
  [/^(?:28|SASL)/, 'Correct the user, or the password: PGPASSWORD, or in CLAUDE_AGENTS_DATABASE.'],
  [/^42501/, 'Let this user make a schema (grant create on database NAME to USER), or use one that may.'],
  [/^53300/, 'Close other connections, or raise max_connections.'],
]
