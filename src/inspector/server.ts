/** The inspector's HTTP server: on the loopback address only, for requests with the token, read-only. */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { PortUnavailableError } from '../events/errors/inspector.ts'
import { ClosedError, InvalidIdError, InvalidInputError } from '../events/errors/usage.ts'
import { type Asset, pageAssets } from './assets.ts'
import { cookieName, HEADERS, refusal } from './guard.ts'
import { streamGrowth } from './live.ts'
import { pageAt } from './places.ts'
import { HANDLERS, type Inspected, RequestParameters } from './requests.ts'

export interface InspectorServer {
  /** Contains the token. */
  readonly url: string
  close(): Promise<void>
}

const HOST = '127.0.0.1'
/** Longer than any that the page sends. */
const LONGEST_URL = 4096
const MOST_CONNECTIONS = 64

/**
 * Listens on a port; 0 is any free one.
 *
 * @throws PortUnavailableError
 */
export async function serveInspector(inspected: Inspected, port: number): Promise<InspectorServer> {
  const assets = await pageAssets()
  const token = randomBytes(32).toString('base64url')
  const ending = new AbortController()
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 10_000 })
  server.maxConnections = MOST_CONNECTIONS
  const listening = await listen(server, port)
  server.on('request', (request, response) => {
    void answer(request, response).catch(() => response.destroy())
  })
  return {
    url: `http://${HOST}:${listening}/?token=${token}`,
    async close() {
      ending.abort()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, headers } = request
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
    const url = requestUrl(request)
    if (!url) return sendProblem(response, 400, 'The URL is invalid or too long.')
    const refused = refusal({ method, headers, url }, { port: listening, token })
    if (refused) {
      if (refused.status === 405) response.setHeader('Allow', 'GET')
      return sendProblem(response, refused.status, refused.problem)
    }
    const asset = assets.get(pageAt(url.pathname) ? '/' : url.pathname)
    if (asset) return sendAsset(response, asset, url.searchParams.has('token'))
    if (url.pathname === '/api/live') {
      return streamGrowth(response, inspected.index, () => inspected.store.head(), ending.signal)
    }
    const handle = Object.hasOwn(HANDLERS, url.pathname) ? HANDLERS[url.pathname] : undefined
    if (!handle) return sendProblem(response, 404, 'Not found.')
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      sendJson(response, 200, await handle(inspected, new RequestParameters(url.searchParams), gone.signal))
    } catch (error) {
      if (!response.destroyed) sendError(response, error)
    }
  }

  function sendAsset(response: ServerResponse, { type, content }: Asset, withToken: boolean): void {
    // From now on the cookie carries the token, so the page can remove it from its URL.
    if (withToken) {
      response.setHeader('Set-Cookie', `${cookieName(listening)}=${token}; Path=/; HttpOnly; SameSite=Strict`)
    }
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': content.length }).end(content)
  }
}

function requestUrl({ url = '' }: IncomingMessage): URL | null {
  const address = `http://${HOST}${url}`
  return url.startsWith('/') && url.length <= LONGEST_URL && URL.canParse(address) ? new URL(address) : null
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(new PortUnavailableError({ port, code: cause.code ?? cause.message }, { cause }))
    })
    server.listen(port, HOST, () => resolve((server.address() as AddressInfo).port))
  })
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const content = Buffer.from(JSON.stringify(value))
  const headers = { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': content.length }
  response.writeHead(status, headers).end(content)
}

const sendProblem = (response: ServerResponse, status: number, problem: string) =>
  sendJson(response, status, { error: { message: problem } })

function sendError(response: ServerResponse, error: unknown): void {
  const known = error instanceof ClaudeAgentError
  const isWrongInput = error instanceof InvalidInputError || error instanceof InvalidIdError
  const status = isWrongInput ? 400 : error instanceof ClosedError ? 503 : 500
  // The message of an unexpected error may hold details that a page must not show.
  sendProblem(response, status, known ? error.message : 'Internal error of the inspector.')
}
