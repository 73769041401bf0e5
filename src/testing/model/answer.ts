/** What the simulated model can answer, good and bad, as plain data with a builder for each kind. */

/** How an answer goes out: when, in what pieces, and whether it gets to its end. */
export interface Delivery {
  /** Nothing is sent for this long ('slow'). */
  readonly firstByteAfterMs?: number
  /** Characters in one streamed piece. */
  readonly chunkSize?: number
  /** Waited before each streamed piece. */
  readonly chunkDelayMs?: number
  readonly interruption?: StreamInterruption
}

/** An answer that stops on its way. An answer that is not streamed stops after half of its body. */
export interface StreamInterruption {
  /** `dropped`: the connection is reset. `hanging`: silence until it is closed. `held`: silence until `release()`. */
  readonly how: 'dropped' | 'hanging' | 'held'
  /** Pieces sent before (0: only the headers and the start of the message). Without it not even headers are sent. */
  readonly afterChunks?: number
}

export interface AnswerUsage {
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cacheReadTokens?: number
  readonly cacheCreationTokens?: number
}

export type AnswerBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly name: string; readonly input: Readonly<Record<string, unknown>> }

export type StopReason = 'end_turn' | 'tool_use' | 'max_tokens' | 'refusal' | 'stop_sequence' | 'pause_turn'

export interface MessageAnswer extends Delivery {
  readonly kind: 'message'
  readonly content: readonly AnswerBlock[]
  readonly stopReason: StopReason
  /** Numbers left out are estimated at four characters a token. */
  readonly usage?: AnswerUsage
}

export interface FailureAnswer extends Delivery {
  readonly kind: 'failure'
  readonly status: number
  readonly errorType: string
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Something that does not speak the protocol: a proxy's HTML page, half a JSON, nothing at all. */
export interface RawAnswer extends Delivery {
  readonly kind: 'raw'
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** What the simulated model answers: a message, an error of the API, or any body. */
export type ModelAnswer = MessageAnswer | FailureAnswer | RawAnswer

type MessageOptions = Delivery & { readonly usage?: AnswerUsage }
type Where = { readonly afterChunks?: number }

/** The API's own names and texts for its errors, by HTTP status. */
const FAILURES: Readonly<Record<number, readonly [errorType: string, message: string]>> = {
  400: ['invalid_request_error', 'The request was not valid.'],
  401: ['authentication_error', 'invalid x-api-key'],
  402: ['billing_error', 'Your credit balance is too low to access the Anthropic API.'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'model: no such model'],
  413: ['request_too_large', 'Request exceeds the maximum size'],
  429: ['rate_limit_error', 'This request would exceed your rate limit.'],
  500: ['api_error', 'Internal server error'],
  529: ['overloaded_error', 'Overloaded'],
}

/** A builder for every kind of answer. Those that spoil an answer take the one to spoil as their first argument. */
export const answer = {
  text: (text: string, options: MessageOptions = {}): MessageAnswer => ({
    kind: 'message',
    content: [{ type: 'text', text }],
    stopReason: 'end_turn',
    ...options,
  }),
  /** The model uses a tool; the tool's result comes as the next request and takes the next answer of the script. */
  toolUse: (
    name: string,
    input: Readonly<Record<string, unknown>>,
    options: MessageOptions = {},
  ): MessageAnswer => ({
    kind: 'message',
    content: [{ type: 'tool_use', name, input }],
    stopReason: 'tool_use',
    ...options,
  }),
  /** An error of the API with its usual type and text: 400, 401, 402, 403, 404, 413, 429, 500, 529 or another status. */
  failure: (status: number, options: Partial<Omit<FailureAnswer, 'kind' | 'status'>> = {}): FailureAnswer => {
    const [errorType, message] = FAILURES[status] ?? ['api_error', `Simulated failure with status ${status}`]
    return { kind: 'failure', status, errorType, message, ...options }
  },
  /** 429 with the header that says when to come again. */
  rateLimited: (retryAfterSeconds: number): FailureAnswer =>
    answer.failure(429, { headers: { 'retry-after': String(retryAfterSeconds) } }),
  /** 529. */
  overloaded: (): FailureAnswer => answer.failure(529),
  /** The model declines to answer. */
  refusal: (text = '', options: MessageOptions = {}): MessageAnswer => ({
    ...answer.text(text, options),
    stopReason: 'refusal',
  }),
  /** The answer ends where its tokens ran out. */
  maxTokens: (text: string, options: MessageOptions = {}): MessageAnswer => ({
    ...answer.text(text, options),
    stopReason: 'max_tokens',
  }),
  /** Any body: `raw('<html>', { contentType: 'text/html' })`, `raw('{"half":')`, `raw('')`. */
  raw: (body: string, options: Partial<Omit<RawAnswer, 'kind' | 'body'>> = {}): RawAnswer => ({
    kind: 'raw',
    status: 200,
    contentType: 'application/json',
    body,
    ...options,
  }),
  /** Silent at first, then the answer. */
  slow: (firstByteAfterMs: number, slowed: ModelAnswer | string): ModelAnswer => ({
    ...asAnswer(slowed),
    firstByteAfterMs,
  }),
  /** The connection is reset before the headers, or after so many pieces of the answer. */
  dropped: (spoilt: ModelAnswer | string = PLACEHOLDER, where: Where = {}): ModelAnswer => ({
    ...asAnswer(spoilt),
    interruption: { how: 'dropped', ...where },
  }),
  /** Silence before the headers, or after so many pieces, until either side closes. */
  hanging: (spoilt: ModelAnswer | string = PLACEHOLDER, where: Where = {}): ModelAnswer => ({
    ...asAnswer(spoilt),
    interruption: { how: 'hanging', ...where },
  }),
  /** Waits before the headers, or after so many pieces, until the test calls `release()`. */
  held: (kept: ModelAnswer | string = PLACEHOLDER, where: Where = {}): ModelAnswer => ({
    ...asAnswer(kept),
    interruption: { how: 'held', ...where },
  }),
}

/** Long enough to be cut into some pieces. */
const PLACEHOLDER =
  'An answer of the simulated model, in several pieces, so that it can stop between two of them.'

/** A string in a script stands for a text answer. */
export function asAnswer(given: ModelAnswer | string): ModelAnswer {
  return typeof given === 'string' ? answer.text(given) : given
}
