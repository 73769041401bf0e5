/** Where a supervisor of processes asks a worker how it is: `/healthz`, `/readyz` and, for Prometheus, `/metrics`. It takes no commands. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { workerMetrics } from './metrics.ts'
import { type Address, addressText, isLoopback, listenError } from './options.ts'

/** How a worker is. */
export interface WorkerHealth {
  readonly worker: string
  readonly release: string
  /** How many agents live in it. */
  readonly agents: number
  readonly draining: boolean
  /** Whether what has its agents is not settled: the database has not answered for long. */
  readonly cutOff: boolean
  /** For how long the database has not answered, in ms. */
  readonly unheardMs: number
}

const MOST_CONNECTIONS = 20

/** It lives as long as it is not cut off from the database, and is ready as long as it also takes agents. */
const STATES: Readonly<Record<string, (health: WorkerHealth) => boolean>> = {
  '/healthz': ({ cutOff }) => !cutOff,
  '/readyz': ({ cutOff, draining }) => !cutOff && !draining,
}

/**
 * Any site can point its own name to 127.0.0.1 and read what a browser is answered there (DNS rebinding). Elsewhere, probes
 * come by whatever name the machine has in its network. A probe of HTTP/1.0 names no host, and no browser is one.
 */
function isOwnName(host: string | undefined, at: Address): boolean {
  if (host === undefined || !isLoopback(at)) return true
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  return isLoopback({ host: name.toLowerCase(), port: at.port })
}

/** @throws InvalidInputError for an address that cannot be listened at */
export async function serveHealth(
  at: Address,
  health: () => WorkerHealth,
): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer({ maxHeaderSize: 8 * 1024, requestTimeout: 10_000 }, (request, response) => {
    const answer = (status: number, type: string, text: string) =>
      response
        .writeHead(status, { 'content-type': type, connection: 'close' })
        .end(request.method === 'HEAD' ? '' : text)
    const now = health()
    const [pathname = '/'] = (request.url ?? '/').split('?')
    const isWell = STATES[pathname]
    if (!isOwnName(request.headers.host, at)) answer(403, 'text/plain', 'Unexpected Host header.\n')
    else if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'text/plain', 'GET only\n')
    else if (pathname === '/metrics')
      answer(200, 'text/plain; version=0.0.4; charset=utf-8', workerMetrics([now]))
    else if (isWell) answer(isWell(now) ? 200 : 503, 'application/json', `${JSON.stringify(now)}\n`)
    else answer(404, 'text/plain', 'There is /healthz, /readyz and /metrics.\n')
  })
  // An answer takes a moment: those that hold a connection longer keep no other one from its own.
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    const [oldest] = open.size >= MOST_CONNECTIONS ? open : []
    oldest?.destroy()
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  const listening = once(server, 'listening')
  server.listen(at.port, at.host)
  await listening.catch((error) => {
    throw listenError('health', error, addressText(at))
  })
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : at.port
  return {
    address: addressText({ ...at, port }),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
