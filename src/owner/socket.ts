/**
 * The socket of a store's owner: through it other processes read the log and send commands while this one has it open.
 *
 * O1. Only the process that holds the store's lock serves it. The record names it for as long as it can be reached.
 * O2. Only processes of this user can connect.
 * O3. A client never holds up the owner or another client: it gets lists as fast as it reads them, one that stops in the
 *     middle of its request or its answer is not waited for, and none keeps the process alive.
 * O4. A task or a run outlives the client that asked for it; its outcome is in the log.
 * O5. An owner that has nothing else to do waits for each client that it has done something for: until that disconnects,
 *     or asks for no change for a moment.
 * O6. Before the store closes, its followers get the rest of the log, and running requests their answer.
 */
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { OwnerBusy, OwnerOnly, OwnerStopping } from '../events/errors/owner.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { callListener } from '../events/listener.ts'
import type { Logger } from '../logger.ts'
import { directoryIdentity, FILE_MODE } from '../store/directory.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { thisProcess } from '../store/process-identity.ts'
import { LARGEST_REQUEST, parseBody, readBody, refuseRequest, sendAnswer, sendFailure } from './answers.ts'
import {
  type CommandRequest,
  type InterruptRequest,
  READING_COMMANDS,
  type RunRequest,
  type TaskRequest,
} from './commands.ts'
import { Followers } from './followers.ts'
import { type Route, readingRoutes } from './reads.ts'
import { readOwnerRecord, removeOwnerRecord, writeOwnerRecord } from './record.ts'
import { type OwnedSystem, OwnerCommands } from './served-commands.ts'
import { newSocketPath, removeSocket, socketProblem, sweepSockets } from './socket-directory.ts'
import { packageVersion } from './version.ts'
import { type Greeting, LineWriter, PRESENCE, PROTOCOL, type StopRequest } from './wire.ts'

// Not imported: see remote/client.ts.
const { createServer } = process.getBuiltinModule('node:http')

/** What an owner serves. */
export interface Owned {
  /** The directory of the store. */
  readonly baseDir: string
  readonly store: ChainedStore
  readonly system: OwnedSystem
  /** What answers its calls. Default: `custom`. */
  readonly runner?: string
  /** Whether it accepts nothing new any more. */
  readonly isStopping?: () => boolean
  /** Whether it does nothing more for others: what is asked of it now is for the next owner. */
  readonly isClosing?: () => boolean
  /** Whether it executes this run. */
  readonly isActive?: (runId: string) => boolean
  /** Called when another process asks this one to end. Without it, such a request is refused. */
  readonly stop?: (request: StopRequest) => void
  /** Called before each command that changes something. */
  readonly prepare?: () => Promise<void>
  readonly logger: Logger
}

/** A client has one for each task that it waits for. */
export const MOST_CONNECTIONS = 1000
/** Connections beyond them, which live only until they are told so. */
const MOST_REFUSED = 100
const REFUSED_MS = 1000
/** For clients that send half of a request, or nothing. */
const LIMITS = {
  requestTimeout: 60_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5000,
}
/** How long an owner that has nothing else to do waits for its readers, and for the next change that a present client asks for. */
const READERS_MS = 1000
/** How long clients have, once the store is closing, to read the rest. */
const GRACE_MS = 1000

/** Serves a store that this process has open and locked. */
export async function serveOwner(owned: Owned): Promise<OwnerSocket> {
  const socket = new OwnerSocket(owned)
  await socket.open()
  return socket
}

export class OwnerSocket {
  readonly #owned: Owned
  readonly #followers: Followers
  readonly #commands: OwnerCommands
  readonly #routes: Readonly<Record<string, Route>>
  readonly #server: Server
  readonly #connections = new Set<Socket>()
  readonly #refused = new Set<Socket>()
  /** The connections that have asked for something. One that never does is not waited for. */
  readonly #readers = new Set<Socket>()
  /** Of these, the clients that have asked for a change and may ask for more. */
  readonly #present = new Set<Socket>()
  /** Aborted when nothing is left to be present for. */
  readonly #leaving = new AbortController()
  /** Requests being answered, except those of followers. */
  readonly #requests = new Set<Promise<void>>()
  /** Commands and tasks that were asked for completely, until they are done: their answer may never be read. */
  readonly #writes = new Set<Promise<void>>()
  /** How often a task, a run or a change was asked for. */
  #asked = 0
  #followerCount = 0
  readonly #servesSince = Date.now()
  #path = ''
  #directory = ''
  #draining = false
  #closing: Promise<void> | undefined

  constructor(owned: Owned) {
    this.#owned = owned
    this.#followers = new Followers(owned.store)
    const owner = { path: owned.baseDir, pid: process.pid }
    const assertTaking = () => {
      if (this.#isStopping) throw new OwnerStopping(owner)
    }
    const assertServing = () => {
      if (this.#isClosing) throw new OwnerStopping(owner)
    }
    const is = { assertTaking, assertServing, isActive: owned.isActive ?? (() => false) }
    this.#commands = new OwnerCommands(owned.system, owner, is, owned.prepare)
    this.#routes = {
      '/': () => ({ value: this.#greeting() }),
      ...readingRoutes(owned.store, this.#followers),
      '/drafts': async (query, signal) => ({
        pages: pagesOf((await owned.system.agent(query.get('agent') ?? '')).drafts(signal)),
      }),
      [PRESENCE]: (_, signal) => ({
        pages: pagesOf(presence(AbortSignal.any([signal, this.#leaving.signal]))),
      }),
    }
    this.#server = createServer(LIMITS, (request, response) => this.#handle(request, response))
    this.#server.on('connection', (socket: Socket) => this.#accept(socket))
  }

  get path(): string {
    return this.#path
  }

  async open(): Promise<void> {
    const { baseDir, store } = this.#owned
    await removeStaleSocket(baseDir)
    this.#directory = await directoryIdentity(baseDir)
    this.#path = await newSocketPath()
    this.#server.listen({ path: this.#path, backlog: MOST_CONNECTIONS })
    await once(this.#server, 'listening')
    // Until now its directory has kept other users out.
    await chmod(this.#path, FILE_MODE)
    this.#server.unref()
    const { storeId } = store
    const owner = { protocol: PROTOCOL, ...thisProcess(), storeId, socket: this.#path, runner: this.#runner }
    await writeOwnerRecord(baseDir, owner)
    void sweepSockets(dirname(this.#path)).catch(() => {})
  }

  /**
   * Resolves when all commands and tasks of other processes are done, or when the signal aborts. Readers get a moment
   * more to finish, and clients that are present one to ask for what comes next. Resolves with whether something that a
   * client has left to this owner has not ended.
   *
   * @param onWait Called once if there are commands or tasks to wait for.
   */
  async drained(signal: AbortSignal, onWait?: () => void): Promise<boolean> {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#draining = true
    for (const socket of this.#connections) socket.ref()
    const work = () => [...this.#writes, ...this.#commands.working]
    const reading = () =>
      this.#readers.size > this.#followerCount || this.#present.size > 0 ? this.#readers : []
    let isTold = false
    let before: number
    do {
      if (work().length > 0 && !isTold) {
        isTold = true
        callListener(onWait)
      }
      while (work().length > 0 && !signal.aborted) await Promise.race([aborted, Promise.all(work())])
      before = this.#asked
      await this.#left(reading, READERS_MS, signal)
    } while (this.#asked > before && !signal.aborted)
    return this.#commands.hasLeft
  }

  /** Resolves when these clients have disconnected, when their time is over, or when the signal aborts. */
  async #left(clients: () => Iterable<Socket>, ms: number, ...signals: AbortSignal[]): Promise<void> {
    // Node collects an AbortSignal.timeout() that only AbortSignal.any() refers to: its time would never be over.
    const over = new AbortController()
    const timer = setTimeout(() => over.abort(), ms)
    const signal = AbortSignal.any([...signals, over.signal])
    for (const socket of clients()) socket.ref()
    for (let left = [...clients()]; left.length > 0 && !signal.aborted; left = [...clients()])
      await Promise.race(left.map((socket) => once(socket, 'close', { signal }))).catch(() => {})
    clearTimeout(timer)
  }

  /** Gives readers a moment to read the rest of the log, then stops serving. The store is still open afterwards. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { baseDir } = this.#owned
    const record = await readOwnerRecord(baseDir).catch(() => null)
    // Another owner may be in its place.
    if (record?.socket === this.#path) await removeOwnerRecord(baseDir)
    this.#leaving.abort()
    await this.#followers.finish().catch(() => {})
    // Who is connected by now is answered: what was asked has been done, or is for the next owner.
    await setImmediate()
    await this.#left(() => this.#connections, GRACE_MS)
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
    await Promise.all(this.#requests)
    await removeSocket(this.#path)
  }

  get #isStopping(): boolean {
    return this.#isClosing || (this.#owned.isStopping?.() ?? false)
  }

  get #isClosing(): boolean {
    return this.#closing !== undefined || (this.#owned.isClosing?.() ?? false)
  }

  get #runner(): string {
    return this.#owned.runner ?? 'custom'
  }

  #stop({ now }: StopRequest): void {
    const { baseDir, stop } = this.#owned
    if (!stop) {
      const hint = 'End it where it was started, or wait until it ends.'
      throw new OwnerOnly({ path: baseDir, pid: process.pid, what: 'stopping it', hint })
    }
    stop({ now: now === true })
  }

  #greeting(): Greeting {
    const { storeId, epoch, forReading } = this.#owned.store
    return {
      protocol: PROTOCOL,
      pid: process.pid,
      storeId,
      epoch,
      forReading,
      directory: this.#directory,
      runner: this.#runner,
      version: packageVersion(),
      servesSince: this.#servesSince,
      ...(this.#isStopping && { stopping: true }),
    }
  }

  #accept(socket: Socket): void {
    const isRefused = this.#connections.size >= MOST_CONNECTIONS
    const group = isRefused ? this.#refused : this.#connections
    group.add(socket)
    socket.once('close', () => {
      group.delete(socket)
      this.#readers.delete(socket)
      this.#present.delete(socket)
    })
    // A reader must not keep this process alive, unless the process is draining.
    if (!this.#draining) socket.unref()
    if (isRefused) socket.setTimeout(REFUSED_MS, () => socket.destroy())
    if (this.#refused.size > MOST_REFUSED) socket.destroy()
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    if (this.#refused.has(request.socket)) {
      refuseRequest(response, 503, new OwnerBusy({ path: this.#owned.baseDir, pid: process.pid }))
      return
    }
    const isPresence = request.url === PRESENCE
    if (isPresence) {
      this.#present.add(request.socket)
      response.setHeader('connection', 'close')
    }
    const isFollower = isPresence || /^\/(follow|drafts)\b/.test(request.url ?? '')
    if (isFollower) this.#followerCount++
    const answered = this.#answer(request, response).finally(() => {
      if (isFollower) this.#followerCount--
      this.#requests.delete(answered)
    })
    if (!isFollower) this.#requests.add(answered)
  }

  /** Never rejects. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const disconnected = new AbortController()
    response.once('close', () => disconnected.abort())
    try {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://owner')
      if (request.method === 'POST')
        return await this.#execute(pathname, request, response, disconnected.signal)
      this.#readers.add(request.socket)
      const route = request.method === 'GET' ? this.#routes[pathname] : undefined
      if (!route) return refuseRequest(response, 404, noSuchAddress(`${request.method} ${pathname}`))
      await sendAnswer(response, await route(searchParams, disconnected.signal))
    } catch (error) {
      sendFailure(response, error)
    } finally {
      if (!response.writableFinished && !response.destroyed) await once(response, 'close').catch(() => {})
    }
  }

  async #execute(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    if (!ADDRESSES.has(path)) return refuseRequest(response, 404, noSuchAddress(`POST ${path}`))
    const body = await readBody(request)
    if (body === null) return refuseRequest(response, 413, tooLarge())
    this.#readers.add(request.socket)
    if (path === '/tasks' || path === '/runs') {
      const lines = new LineWriter(response)
      response.flushHeaders()
      const asked = parseBody(body)
      this.#asked++
      const told =
        path === '/tasks'
          ? this.#commands.ask(asked as TaskRequest, lines, gone)
          : this.#commands.run(asked as RunRequest, lines, gone)
      await this.#written(told).catch(() => {})
      return lines.end()
    }
    return sendAnswer(response, { value: { result: await this.#result(path, parseBody(body)) } })
  }

  async #result(path: string, body: object): Promise<unknown> {
    if (path === '/stop') this.#stop(body as StopRequest)
    if (path === '/interruptions') return this.#commands.interrupt(body as InterruptRequest)
    if (path !== '/commands') return null
    const command = body as CommandRequest
    // A client that only looks, however often, does not keep this process.
    if (!READING_COMMANDS.has(command.method)) this.#asked++
    return (await this.#written(this.#commands.command(command))) ?? null
  }

  async #written<Result>(work: Promise<Result>): Promise<Result> {
    const done = work.then(
      () => {},
      () => {},
    )
    this.#writes.add(done)
    void done.then(() => this.#writes.delete(done))
    return work
  }
}

/** Each value as a page of its own: the next one is made when the reader has taken it. */
async function* pagesOf(values: AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  for await (const value of values) yield Buffer.from(`${JSON.stringify(value)}\n`)
}

/** Tells a client that it is waited for; ends when one of the two leaves. */
async function* presence(over: AbortSignal): AsyncGenerator<object> {
  yield { present: true }
  if (!over.aborted) await once(over, 'abort')
}

/** What is posted to. */
const ADDRESSES = new Set(['/commands', '/tasks', '/runs', '/interruptions', '/stop'])

const noSuchAddress = (what: string) => new InvalidInputError({ what, problem: 'there is no such address' })
const tooLarge = () =>
  new InvalidInputError({ what: 'The request', problem: `it is larger than ${LARGEST_REQUEST} bytes` })

/** Cleans up after a killed owner. A record that is not trusted is removed; the path that it names is left alone. */
async function removeStaleSocket(baseDir: string): Promise<void> {
  const record = await readOwnerRecord(baseDir).catch(() => null)
  if (record && socketProblem(record.socket, record.pid) === null) await removeSocket(record.socket)
  await removeOwnerRecord(baseDir)
}
