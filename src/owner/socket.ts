/** The socket of a store's owner: others read the log through it while it is open here, and have things done. */
import { once } from 'node:events'
import { chmod } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Logger } from '../logger.ts'
import { directoryIdentity, FILE_MODE } from '../store/directory.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { thisProcess } from '../store/process-identity.ts'
import { fail, LARGEST_REQUEST, parse, readBody, refuseRequest, send } from './answers.ts'
import type { CommandRequest, TaskRequest } from './commands.ts'
import { Followers } from './followers.ts'
import { type Route, readingRoutes } from './reads.ts'
import { readOwnerRecord, removeOwnerRecord, writeOwnerRecord } from './record.ts'
import { type OwnedSystem, OwnerCommands } from './served-commands.ts'
import { newSocketPath, problemOfSocket, removeSocket, sweepSockets } from './socket-directory.ts'
import { type Greeting, LineWriter, PROTOCOL } from './wire.ts'

export interface Owned {
  /** Where the store is. */
  readonly baseDir: string
  readonly store: ChainedStore
  readonly system: OwnedSystem
  readonly logger: Logger
}

/** As many processes work through one owner. */
const MOST_CONNECTIONS = 100
/** How long whoever reads is waited for by an owner that has nothing else to do. */
const READERS_MS = 1000
/** How long those who read when the store is closed may take for the rest. */
const GRACE_MS = 500

/** Serves a store that this process has open. Only whoever has its lock may call this. */
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
  /** What is being answered, other than to those who follow. */
  readonly #work = new Set<Promise<void>>()
  /** What of that changes something. */
  readonly #doing = new Set<Promise<void>>()
  #following = 0
  #path = ''
  #directory = ''
  #draining = false
  #closing: Promise<void> | undefined

  constructor(owned: Owned) {
    this.#owned = owned
    this.#followers = new Followers(owned.store)
    this.#commands = new OwnerCommands(owned.system)
    this.#routes = {
      '/': () => ({ value: this.#greeting() }),
      ...readingRoutes(owned.store, this.#followers),
    }
    const limits = { requestTimeout: 60_000, headersTimeout: 10_000, keepAliveTimeout: 30_000 }
    this.#server = createServer(limits, (request, response) => this.#take(request, response))
    this.#server.maxConnections = MOST_CONNECTIONS
    this.#server.on('connection', (socket: Socket) => {
      this.#connections.add(socket)
      // Who looks on must not keep this process alive, unless it waits for them.
      if (!this.#draining) socket.unref()
      socket.once('close', () => this.#connections.delete(socket))
    })
  }

  get path(): string {
    return this.#path
  }

  async open(): Promise<void> {
    const { baseDir, store } = this.#owned
    await removeLeftSocket(baseDir)
    this.#directory = await directoryIdentity(baseDir)
    this.#path = await newSocketPath()
    this.#server.listen(this.#path)
    await once(this.#server, 'listening')
    // Its directory has kept others out meanwhile.
    await chmod(this.#path, FILE_MODE)
    this.#server.unref()
    const { storeId } = store
    await writeOwnerRecord(baseDir, { protocol: PROTOCOL, ...thisProcess(), storeId, socket: this.#path })
    void sweepSockets(dirname(this.#path)).catch(() => {})
  }

  /**
   * Resolves when everything is done that others have asked for, or the signal aborts. Whoever only reads may go on for
   * a moment: a command that came in is about to end.
   *
   * @param onWait Called when something has to be waited for that may take long.
   */
  async drained(signal: AbortSignal, onWait: () => void = () => {}): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#draining = true
    for (const socket of this.#connections) socket.ref()
    if (this.#doing.size > 0) onWait()
    while (this.#doing.size > 0 && !signal.aborted) await Promise.race([aborted, Promise.all(this.#doing)])
    const enough = AbortSignal.timeout(READERS_MS)
    while (!signal.aborted && !enough.aborted && this.#connections.size > this.#following) {
      const gone = [...this.#connections].map((connection) => once(connection, 'close', { signal: enough }))
      await Promise.race([aborted, ...gone]).catch(() => {})
    }
  }

  /** Lets everybody read what there is, but not for long, and ends. The store is still open then. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await removeOwnerRecord(this.#owned.baseDir)
    const closed = once(this.#server, 'close')
    this.#server.close()
    await this.#followers.finish().catch(() => {})
    this.#server.closeIdleConnections()
    for (const socket of this.#connections) socket.ref()
    const enough = setTimeout(() => this.#server.closeAllConnections(), GRACE_MS)
    await closed
    clearTimeout(enough)
    await Promise.all(this.#work)
    await removeSocket(this.#path)
  }

  #greeting(): Greeting {
    const { storeId, epoch, forReading } = this.#owned.store
    return { protocol: PROTOCOL, pid: process.pid, storeId, epoch, forReading, directory: this.#directory }
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const isFollowing = request.url?.startsWith('/follow') ?? false
    if (isFollowing) this.#following++
    const work = this.#answer(request, response).finally(() => {
      if (isFollowing) this.#following--
      this.#work.delete(work)
      this.#doing.delete(work)
      // That was the last question of its connection.
      if (this.#closing) setImmediate(() => this.#server.closeIdleConnections())
    })
    if (!isFollowing) this.#work.add(work)
    if (request.method === 'POST') this.#doing.add(work)
    // An answer keeps its connection for the next question, but not when it was the last.
    if (this.#closing) response.setHeader('connection', 'close')
  }

  /** Never rejects. */
  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://owner')
      if (request.method === 'POST') return await this.#do(pathname, request, response)
      const route = request.method === 'GET' ? this.#routes[pathname] : undefined
      if (!route)
        return refuseRequest(response, 404, `${request.method} ${pathname}`, 'there is no such address')
      await send(response, await route(searchParams, gone.signal))
    } catch (error) {
      fail(response, error)
    } finally {
      if (!response.writableFinished && !response.destroyed) await once(response, 'close').catch(() => {})
    }
  }

  async #do(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (path !== '/commands' && path !== '/tasks')
      return refuseRequest(response, 404, `POST ${path}`, 'there is no such address')
    const body = await readBody(request)
    if (body === null)
      return refuseRequest(response, 413, 'The request', `it is over ${LARGEST_REQUEST} bytes`)
    if (path === '/commands') {
      const value = await this.#commands.run(parse(body) as CommandRequest)
      return send(response, { value: { result: value ?? null } })
    }
    const lines = new LineWriter(response)
    response.flushHeaders()
    await this.#commands.ask(parse(body) as TaskRequest, lines).catch(() => {})
    lines.end()
  }
}

/** What an owner that was killed has left. A record that is not an owner's is replaced, and what it names is left alone. */
async function removeLeftSocket(baseDir: string): Promise<void> {
  const record = await readOwnerRecord(baseDir).catch(() => null)
  if (record && problemOfSocket(record.socket, record.pid) === null) await removeSocket(record.socket)
  await removeOwnerRecord(baseDir)
}
