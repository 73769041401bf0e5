/** The client of an owner's socket: finds the owner of a store and sends it requests. */
import { realpath, stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import {
  OwnerBusy,
  OwnerProtocolMismatch,
  OwnerRecordRefused,
  OwnerUnavailable,
} from '../events/errors/owner.ts'
import { codeOf } from '../events/errors/phrases.ts'
import { ClosedError, InvalidInputError } from '../events/errors/usage.ts'
import { duration } from '../events/figures.ts'
import { defined } from '../events/json.ts'
import { type CommandRequest, DECLARING_COMMANDS, READING_COMMANDS } from '../owner/commands.ts'
import { type OwnerRecord, ownerFile, readOwnerRecord } from '../owner/record.ts'
import { socketProblem } from '../owner/socket-directory.ts'
import { errorFrom, type Greeting, isErrorLine, PRESENCE, PROTOCOL } from '../owner/wire.ts'
import { directoryIdentity } from '../store/directory.ts'
import { checkFormat, storePaths } from '../store/level/directory.ts'
import { type HostProcess, livenessOf } from '../store/process-identity.ts'

// Not imported: that reads its getters as well, and so loads a WebSocket, which takes longer than an empty Node (decision 16).
const { Agent: Connections, request } = process.getBuiltinModule('node:http')

/** A healthy owner answers in a millisecond; a suspended one never does. */
const GREETING_MS = 5000

/** The HTTP status of a connection that an owner refuses. */
const BUSY = 503

/** Whether an error of an owner says that it has done nothing: it ends, and the next one can be asked. */
export function isUnserved(error: unknown): boolean {
  const { _tag: tag, cause } = error as { readonly _tag?: string; readonly cause?: NodeJS.ErrnoException }
  return tag === 'OwnerStopping' || (tag === 'OwnerUnavailable' && NOT_LISTENING.has(cause?.code ?? ''))
}

/** Whether an owner has ended, or is about to, without an answer. What only reads can be read again without it. */
export function isOwnersEnd(error: unknown): boolean {
  const { _tag: tag } = error as { readonly _tag?: string }
  return tag === 'OwnerUnavailable' || tag === 'ClosedError' || isUnserved(error)
}

/** No process listens on the socket: the owner has ended, or is about to. */
const NOT_LISTENING = new Set(['ENOENT', 'ECONNREFUSED'])

/** An owner that is killed closes its connections a moment before it is gone. */
const CUT_OFF = new Set(['ECONNRESET', 'EPIPE'])
const ENDING_MS = 500
const ENDING_POLL_MS = 25

/**
 * Connects to the process that has a store open and serves it; null if there is none.
 *
 * @throws OwnerRecordRefused, OwnerProtocolMismatch, OwnerUnavailable (it does not answer)
 */
export async function connectOwner(baseDir: string): Promise<OwnerClient | null> {
  for (let left = ENDING_MS; ; left -= ENDING_POLL_MS) {
    try {
      return await greetOwner(baseDir)
    } catch (error) {
      if (!CUT_OFF.has(codeOf((error as Error).cause)) || left <= 0) throw error
    }
    await delay(ENDING_POLL_MS)
  }
}

async function greetOwner(baseDir: string): Promise<OwnerClient | null> {
  const base = await realpath(baseDir).catch(() => null)
  const record = base === null ? null : await readOwnerRecord(base)
  // Whether an owner in another pid namespace lives, its socket tells.
  if (base === null || record === null || livenessOf(record) === 'dead') return null
  const { protocol: found, pid, socket } = record
  if (found !== PROTOCOL) throw new OwnerProtocolMismatch({ path: base, pid, found, known: PROTOCOL })
  const problem = socketProblem(socket, pid)
  if (problem === 'missing') return null
  if (problem !== null) throw new OwnerRecordRefused({ file: ownerFile(base), problem })
  const client = new OwnerClient(base, record)
  try {
    await client.greet(record, (await checkFormat(storePaths(base)))?.storeId)
    // A copy of the directory holds the record of the original's owner.
    if (client.greeting.directory === (await directoryIdentity(base))) return client
    client.close()
    return null
  } catch (error) {
    client.close()
    if (NOT_LISTENING.has(codeOf((error as Error).cause))) return null
    throw error
  }
}

interface PostOptions {
  /** Called as soon as the owner has the request. */
  readonly accepted?: () => void
  readonly signal?: AbortSignal
  /** Whether it may change something, and more may follow. Default: true. */
  readonly changes?: boolean
}

export class OwnerClient {
  readonly baseDir: string
  readonly pid: number
  readonly process: HostProcess
  readonly #socket: string
  readonly #connections = new Connections({ keepAlive: true })
  #greeting: Greeting | undefined
  #closed = false
  #isUsed = false
  #staying: Promise<void> | undefined

  constructor(baseDir: string, { pid, started, pidNamespace, socket }: OwnerRecord) {
    this.process = { pid, started, pidNamespace }
    this.baseDir = baseDir
    this.pid = pid
    this.#socket = socket
  }

  /** The path of the owner's socket. */
  get address(): string {
    return this.#socket
  }

  get greeting(): Greeting {
    if (!this.#greeting) throw this.unavailable('has not been greeted')
    return this.#greeting
  }

  /** Checks that the process behind the socket is the owner, before anything else is sent to it. */
  async greet({ pid }: OwnerRecord, storeId: string | undefined): Promise<void> {
    const answered = new AbortController()
    const timeout = delay(GREETING_MS, undefined, { signal: answered.signal, ref: false }).then(
      async () => {
        throw this.unavailable(await this.#silence(), endingHint(pid))
      },
      () => undefined,
    )
    try {
      const greeting = (await Promise.race([this.value('/'), timeout])) as Greeting | undefined
      if (greeting?.protocol === PROTOCOL && greeting.pid === pid && greeting.storeId === storeId) {
        this.#greeting = greeting
        return
      }
      const problem = 'another process answers on its socket'
      throw new OwnerRecordRefused({ file: ownerFile(this.baseDir), problem })
    } finally {
      answered.abort()
    }
  }

  /** One value. */
  async value(address: string, query: QueryParameters = {}): Promise<unknown> {
    for await (const value of this.values(address, query)) return value
    throw this.unavailable('gave no answer')
  }

  /** A plain text. */
  async text(address: string, query: QueryParameters = {}): Promise<string> {
    const response = await this.#send('GET', `${address}${queryText(query)}`)
    const isText = response.headers['content-type']?.startsWith('text/plain')
    if (!isText) for await (const value of this.#lines(response)) throw failureOf(value)
    let text = ''
    for await (const piece of this.#pieces(response)) text += piece
    return text
  }

  /** A list. Ends early when the signal aborts. */
  async *values(address: string, query: QueryParameters = {}, signal?: AbortSignal): AsyncGenerator<unknown> {
    if (signal?.aborted) return
    const response = await this.#send('GET', `${address}${queryText(query)}`)
    yield* this.#lines(response, signal)
  }

  /** Sends a body and yields the lines of the answer. */
  async *post(
    address: string,
    body: object,
    { accepted, signal, changes = true }: PostOptions = {},
  ): AsyncGenerator<unknown> {
    const text = JSON.stringify(body, carried)
    if (changes) {
      this.#staying ??= this.#stay()
      await this.#staying
    }
    const response = await this.#send('POST', address, text)
    accepted?.()
    let isDone = changes
    try {
      yield* this.#lines(response, signal)
    } catch (error) {
      isDone &&= !isUnserved(error)
      throw error
    } finally {
      this.#isUsed ||= isDone
    }
  }

  /** Whether this owner has changed something for this client, as far as that is known. */
  get isUsed(): boolean {
    return this.#isUsed
  }

  /** An owner that has nothing else to do ends, unless a client that it has done something for is still there. */
  async #stay(): Promise<void> {
    try {
      const response = await this.#send('GET', PRESENCE)
      response.on('error', () => {}).resume()
      // It keeps the owner, but not this process.
      response.socket.unref()
    } catch {
      // What is asked next fails for the same reason, and says so.
    }
  }

  /** Calls a method of the orchestrator, or of one of its agents, by name. */
  async command(agent: string | null, method: string, args: readonly unknown[]): Promise<unknown> {
    // JSON would turn an omitted argument into null.
    const given = args.slice(0, args.findLastIndex((argument) => argument !== undefined) + 1)
    const request: CommandRequest = { agent, method, args: given }
    return this.result('/commands', request, {
      changes: !DECLARING_COMMANDS.has(method) && !READING_COMMANDS.has(method),
    })
  }

  /** Sends a body whose answer is one value. */
  async result(address: string, body: object, options: Pick<PostOptions, 'changes'> = {}): Promise<unknown> {
    for await (const answer of this.post(address, body, options))
      return (answer as { result: unknown }).result
    throw this.unavailable('gave no answer')
  }

  unavailable(problem: string, hint?: string, cause?: unknown): OwnerUnavailable {
    const details = defined({ path: this.baseDir, pid: this.pid, problem, hint })
    return new OwnerUnavailable(details, defined({ cause }))
  }

  /** Disconnects. Answers that are still being read end early. */
  close(): void {
    this.#closed = true
    this.#connections.destroy()
  }

  async *#lines(response: IncomingMessage, signal?: AbortSignal): AsyncGenerator<unknown> {
    const stop = () => response.destroy()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      if (signal?.aborted) return
      let rest = ''
      for await (const piece of this.#pieces(response, signal)) {
        const lines = (rest + piece).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          const value = JSON.parse(line) as unknown
          if (isErrorLine(value)) throw errorFrom(value)
          yield value
          if (signal?.aborted) return
        }
      }
    } finally {
      signal?.removeEventListener('abort', stop)
      response.destroy()
    }
  }

  async *#pieces(response: IncomingMessage, signal?: AbortSignal): AsyncGenerator<string> {
    try {
      for await (const piece of response.setEncoding('utf8')) yield piece as string
    } catch (cause) {
      if (signal?.aborted || this.#closed) return
      throw this.unavailable('ended in the middle of its answer', undefined, cause)
    }
  }

  async #send(method: string, path: string, body?: string): Promise<IncomingMessage> {
    if (this.#closed) throw new ClosedError({ what: 'store' })
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#socket, agent: this.#connections, method, path }
      const sent = request(options, (response) => {
        if (response.statusCode !== BUSY) return resolve(response)
        response.resume()
        reject(this.#busy())
      })
      sent.once('error', (cause: NodeJS.ErrnoException) => reject(this.#unreachable(cause)))
      sent.end(body)
    })
  }

  /** How long it has been silent, and how long it has served. */
  async #silence(): Promise<string> {
    const since = (await stat(ownerFile(this.baseDir)).catch(() => null))?.mtimeMs
    const age = since === undefined ? '' : `; it has had the store open for ${duration(Date.now() - since)}`
    return `has not answered within ${duration(GREETING_MS)}${age}`
  }

  #busy(cause?: Error): OwnerBusy {
    return new OwnerBusy({ path: this.baseDir, pid: this.pid }, defined({ cause }))
  }

  #unreachable(cause: NodeJS.ErrnoException): OwnerUnavailable | OwnerBusy {
    const code = cause.code ?? ''
    // The queue of connections that it has not accepted yet is full.
    if (code === 'EAGAIN') return this.#busy(cause)
    const problem = NOT_LISTENING.has(code) ? 'has ended' : 'closed the connection without an answer'
    return this.unavailable(problem, undefined, cause)
  }
}

const endingHint = (pid: number) =>
  `It may be suspended or very busy. See what it does: ps -o pid,stat,etime,args -p ${pid}. To let it continue: kill -CONT ${pid}. To end it: kill ${pid}, or kill -9 ${pid}; what is in the log stays, and the next start resumes it.`

export type QueryParameters = Readonly<Record<string, string | number | boolean | undefined>>

function queryText(query: QueryParameters): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== Infinity)
  if (given.length === 0) return ''
  return `?${new URLSearchParams(Object.fromEntries(given.map(([name, value]) => [name, String(value)])))}`
}

/** JSON would carry it as null, which may say something else: as a budget, that there is no limit. */
function carried(key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value
  throw new InvalidInputError({ what: key, problem: `${value} is not a finite number` })
}

const failureOf = (value: unknown) => new TypeError(`${JSON.stringify(value)} is not a text`)
