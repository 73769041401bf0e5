/**
 * A simulated model: an HTTP server on the loopback address that speaks the Anthropic Messages API and answers from a
 * script, so that the real `claude` runs without network, login or cost.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Clock, systemClock } from '../../clock.ts'
import { answer, asAnswer, type ModelAnswer } from './answer.ts'
import { deliver } from './answer-delivery.ts'
import { estimateTokens, failureBody } from './answer-wire.ts'
import { type ModelRequest, parseModelRequest } from './messages-api.ts'
import { ordinalGate } from './ordinal-gate.ts'
import { sideReply } from './side-requests.ts'
import { simulatedFile, simulatedReply } from './simulated-reply.ts'

// Not imported: see remote/client.ts.
const { createServer } = process.getBuiltinModule('node:http')

/** Chooses the answer to a request. A string is a text answer, undefined the default reply. */
export type ModelScript = (
  request: ModelRequest,
) => ModelAnswer | string | undefined | Promise<ModelAnswer | string | undefined>

/** Options of `simulatedModel`. */
export interface SimulatedModelOptions {
  /** A function, or answers to use in order of arrival; after the last one, the default reply. */
  readonly reply?: ModelScript | readonly (ModelAnswer | string)[]
  /** Characters per streamed piece, for answers that do not set it themselves. Default: 40. */
  readonly chunkSize?: number
  /** The delay before each piece, in ms, for answers that do not set it themselves. Default: 0. */
  readonly chunkDelayMs?: number
  /** The most requests of the conversation in flight: more are refused with 429. Default: no limit. */
  readonly maxInFlight?: number
  /** The `retry-after` of those 429s, in seconds. Default: none. */
  readonly retryAfterSeconds?: number
  /** The clock for every delay. Default: the system's. */
  readonly clock?: Clock
}

export interface SimulatedModel extends AsyncDisposable {
  readonly url: string
  /** Variables for the environment of a `claude` process, so that it talks to this model only. */
  readonly environment: Readonly<Record<string, string>>
  /** The requests of the conversation, in order of arrival. */
  readonly requests: readonly ModelRequest[]
  readonly requestCount: number
  /** How many of them were refused because of `maxInFlight`. */
  readonly refusedCount: number
  /** Requests that the CLI made itself (a session title, a quota check). They do not reach the script. */
  readonly sideRequests: readonly ModelRequest[]
  /** All other requests, such as `HEAD /`. */
  readonly otherRequests: readonly string[]
  /** Resolves when the n-th request of the conversation has arrived (from 1), possibly before it is answered. */
  waitForRequest(ordinal: number): Promise<ModelRequest>
  /** Releases held answers: to all requests that have arrived, or to all up to this one. */
  release(through?: number): void
  /** Adds answers to the end of the list. */
  enqueue(...answers: readonly (ModelAnswer | string)[]): void
  /** Closes every connection at once and frees the port. */
  close(): Promise<void>
}

/**
 * Starts a simulated model on a free port of 127.0.0.1.
 *
 * @example
 * await using model = await simulatedModel({ reply: [answer.rateLimited(1), 'Hello.'] })
 * spawn('claude', ['-p', 'Hi'], { env: { PATH, HOME, ...model.environment } })
 * await model.waitForRequest(2)
 * model.requests[1]?.conversation // [['user', 'Hi']]
 */
export async function simulatedModel(options: SimulatedModelOptions = {}): Promise<SimulatedModel> {
  const { clock = systemClock, reply = [] } = options
  const queue = typeof reply === 'function' ? [] : [...reply]
  const script: ModelScript = typeof reply === 'function' ? reply : () => undefined
  const pace = { chunkSize: options.chunkSize ?? 40, chunkDelayMs: options.chunkDelayMs ?? 0 }

  const requests: ModelRequest[] = []
  const sideRequests: ModelRequest[] = []
  const otherRequests: string[] = []
  const arrivals = ordinalGate()
  const releases = ordinalGate()
  const closing = new AbortController()

  let inFlight = 0
  let refused = 0

  async function answerRequest(request: ModelRequest): Promise<ModelAnswer> {
    if (inFlight > (options.maxInFlight ?? Number.POSITIVE_INFINITY)) {
      refused += 1
      const { retryAfterSeconds } = options
      return retryAfterSeconds === undefined ? answer.failure(429) : answer.rateLimited(retryAfterSeconds)
    }
    try {
      const given =
        queue.shift() ?? (await script(request)) ?? simulatedFile(request) ?? simulatedReply(request)
      return { ...pace, ...asAnswer(given) }
    } catch (cause) {
      // A bug in a test's script must not look like a temporary failure of the model.
      const message = `The script of the simulated model failed: ${cause}`
      return answer.failure(500, { message, headers: { 'x-should-retry': 'false' } })
    }
  }

  async function handleMessages(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(incoming)
    const request = readRequest(body, incoming.headers)
    if (request instanceof Error) {
      return sendJson(response, 400, failureBody(answer.failure(400, { message: request.message })))
    }
    if (incoming.url?.startsWith('/v1/messages/count_tokens')) {
      return sendJson(response, 200, JSON.stringify({ input_tokens: estimateTokens(body.length) }))
    }
    const side = sideReply(request)
    const numbered = side ? number(request, sideRequests) : number(request, requests)
    if (!side) arrivals.openThrough(numbered.ordinal)
    const disconnected = new AbortController()
    response.once('close', () => disconnected.abort())
    if (!side) inFlight += 1
    try {
      await deliver(side ?? (await answerRequest(numbered)), {
        request: numbered,
        response,
        clock,
        signal: AbortSignal.any([closing.signal, disconnected.signal]),
        released: () => releases.passed(numbered.ordinal),
      })
    } finally {
      if (!side) inFlight -= 1
    }
  }

  const server = createServer((incoming, response) => {
    // Clients disconnect all the time here, which must not end the test's process.
    response.on('error', () => undefined)
    const { method = '', url = '' } = incoming
    if (method === 'POST' && url.startsWith('/v1/messages')) {
      handleMessages(incoming, response).catch(() => response.destroy())
      return
    }
    otherRequests.push(`${method} ${url}`)
    incoming.resume()
    sendJson(response, 200, url.startsWith('/v1/models') ? '{"data":[],"has_more":false}' : '{}')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= new Promise((resolve) => {
      closing.abort()
      arrivals.abandon(new Error('The simulated model was closed before that request arrived.'))
      server.close(() => resolve())
      server.closeAllConnections()
    })
    return closed
  }

  return {
    url,
    environment: {
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_KEY: 'simulated',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      NO_PROXY: '127.0.0.1',
    },
    requests,
    get requestCount() {
      return requests.length
    },
    get refusedCount() {
      return refused
    },
    sideRequests,
    otherRequests,
    async waitForRequest(ordinal) {
      await arrivals.passed(ordinal)
      return requests[ordinal - 1] as ModelRequest
    },
    release: (through = requests.length) => releases.openThrough(through),
    enqueue: (...answers) => {
      queue.push(...answers)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function readRequest(body: string, headers: IncomingHttpHeaders): ModelRequest | Error {
  try {
    return parseModelRequest(body, headers)
  } catch (cause) {
    return cause instanceof Error ? cause : new Error(String(cause))
  }
}

function number(request: ModelRequest, among: ModelRequest[]): ModelRequest {
  const numbered = { ...request, ordinal: among.length + 1 }
  among.push(numbered)
  return numbered
}

function sendJson(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}
