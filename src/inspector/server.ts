/** The inspector's HTTP server: on the loopback address only, for requests with the token. */

import { randomBytes } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ClaudeAgentError, describeError } from '../events/errors/base.ts'
import { PortUnavailableError } from '../events/errors/inspector.ts'
import { visible } from '../events/hidden-characters.ts'
import { readBody } from '../owner/answers.ts'
import type { Acting } from './acts/acting.ts'
import { ACT, ActRequests, LARGEST_FORM } from './acts/requests.ts'
import { pageAt } from './addresses.ts'
import { type Asset, pageAssets } from './assets.ts'
import { cookieWith, HEADERS, refusal } from './guard.ts'
import { streamGrowth } from './live.ts'
import { HANDLERS, type Inspected, RequestParameters } from './requests.ts'

// Not imported: see remote/client.ts.
const { createServer } = process.getBuiltinModule('node:http')

export interface InspectorServer {
  /** Contains the token. */
  readonly url: string
  close(): Promise<void>
}

const HOST = '127.0.0.1'
/** Longer than any that the page sends. */
const LONGEST_URL = 4096
const MOST_CONNECTIONS = 64

/** A key that cannot be guessed. */
export const newToken = (): string => randomBytes(32).toString('base64url')

/**
 * Listens on a port; 0 is any free one.
 *
 * @throws PortUnavailableError
 */
export async function serveInspector(
  inspected: Inspected,
  acting: Acting,
  { port, token }: { readonly port: number; readonly token: string },
): Promise<InspectorServer> {
  const assets = await pageAssets()
  const acts = new ActRequests(acting)
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
    const guarded = { port: listening, token, acts: acting.isReadOnly ? null : ACT }
    const refused = refusal({ method, headers, url }, guarded)
    if (refused) {
      if (refused.status === 405) response.setHeader('Allow', 'GET')
      return sendProblem(response, refused.status, refused.problem)
    }
    if (method === 'POST') return act(request, response)
    // A person who went astray gets the page, which says so.
    const isPage = pageAt(url.pathname) || (isPlace(url.pathname) && headers.accept?.includes('text/html'))
    const asset = assets.get(isPage ? '/' : url.pathname)
    if (asset) return sendAsset(response, asset, url.searchParams.has('token'))
    if (url.pathname === '/api/live') {
      return streamGrowth(response, inspected.index, () => inspected.store.head(), ending.signal)
    }
    const handlers = { ...HANDLERS, ...acts.reading }
    const handle = Object.hasOwn(handlers, url.pathname) ? handlers[url.pathname] : undefined
    if (!handle) return sendProblem(response, 404, 'Not found.')
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      sendJson(response, 200, await handle(inspected, new RequestParameters(url.searchParams), gone.signal))
    } catch (error) {
      if (!response.destroyed) sendError(response, error)
    }
  }

  async function act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isTooLarge = Number(request.headers['content-length'] ?? 0) > LARGEST_FORM
    const body = isTooLarge ? null : await readBody(request, LARGEST_FORM)
    if (body === null) {
      // Read to its end, so that its sender gets the answer.
      request.resume()
      response.setHeader('Connection', 'close')
      return sendProblem(response, 413, `The form is larger than ${LARGEST_FORM} bytes, and did nothing.`)
    }
    try {
      sendJson(response, 200, await acts.act(body))
    } catch (error) {
      if (!response.destroyed) sendError(response, error)
    }
  }

  function sendAsset(response: ServerResponse, { type, content }: Asset, withToken: boolean): void {
    // From now on the cookie carries the token, so the page can remove it from its URL.
    if (withToken) {
      response.setHeader('Set-Cookie', cookieWith(listening, token))
    }
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': content.length }).end(content)
  }
}

/** Whether it could be the address of a page: files have an ending. */
const isPlace = (path: string) => !path.startsWith('/api/') && !/\.\w+$/.test(path)

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

const sendProblem = (response: ServerResponse, status: number, message: string, hint = '') =>
  sendJson(response, status, { error: { message, hint } })

const WRONG_INPUT = new Set(['InvalidInputError', 'InvalidIdError'])

function sendError(response: ServerResponse, error: unknown): void {
  // The message of an unexpected error may hold details that a page must not show.
  if (!(error instanceof ClaudeAgentError))
    return void sendProblem(response, 500, 'Internal error of the inspector.')
  // An error of an owner is known by its tag.
  const { _tag: tag } = error
  const status = WRONG_INPUT.has(tag) ? 400 : tag === 'ClosedError' ? 503 : 409
  const { message, hint } = describeError(error)
  sendProblem(response, status, visible(message), visible(hint))
}
