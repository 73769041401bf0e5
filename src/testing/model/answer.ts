/** The answers of the simulated model, good and bad, as plain data with a builder for each kind. */

/** How an answer is sent: when, in which pieces, and whether it is interrupted. */
export interface Delivery {
  /** The delay before the first byte. */
  readonly firstByteAfterMs?: number
  /** Characters per streamed piece. */
  readonly chunkSize?: number
  /** The delay before each streamed piece. */
  readonly chunkDelayMs?: number
  readonly interruption?: StreamInterruption
}

/** An interruption in the middle of an answer. An answer that is not streamed is interrupted after half of its body. */
export interface StreamInterruption {
  /** `dropped`: the connection is reset. `hanging`: silence until it is closed. `held`: silence until `release()`. */
  readonly how: 'dropped' | 'hanging' | 'held'
  /** Pieces sent before it (0: the headers and the start of the message). If left out, not even the headers are sent. */
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
  /** Omitted numbers are estimated at four characters per token. */
  readonly usage?: AnswerUsage
}

export interface FailureAnswer extends Delivery {
  readonly kind: 'failure'
  readonly status: number
  readonly errorType: string
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A body outside the protocol: a proxy's HTML page, truncated JSON, nothing at all. */
export interface RawAnswer extends Delivery {
  readonly kind: 'raw'
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** An answer of the simulated model: a message, an API error, or any body. */
export type ModelAnswer = MessageAnswer | FailureAnswer | RawAnswer

type MessageOptions = Delivery & { readonly usage?: AnswerUsage }
type Where = { readonly afterChunks?: number }

/** The API's error types and messages, by HTTP status. */
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

/** A builder for every kind of answer. The ones that delay or interrupt take the answer to send. */
export const answer = {
  text: (text: string, options: MessageOptions = {}): MessageAnswer => ({
    kind: 'message',
    content: [{ type: 'text', text }],
    stopReason: 'end_turn',
    ...options,
  }),
  /** The model uses a tool. The tool's result is the next request, which takes the next answer of the script. */
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
  /** An API error with its usual type and message: 400, 401, 402, 403, 404, 413, 429, 500, 529 or another status. */
  failure: (status: number, options: Partial<Omit<FailureAnswer, 'kind' | 'status'>> = {}): FailureAnswer => {
    const [errorType, message] = FAILURES[status] ?? ['api_error', `Simulated failure with status ${status}`]
    return { kind: 'failure', status, errorType, message, ...options }
  },
  /** 429 with a `retry-after` header. */
  rateLimited: (retryAfterSeconds: number): FailureAnswer =>
    answer.failure(429, { headers: { 'retry-after': String(retryAfterSeconds) } }),
  /** 529. */
  overloaded: (): FailureAnswer => answer.failure(529),
  /** The model declines to answer. */
  refusal: (text = '', options: MessageOptions = {}): MessageAnswer => ({
    ...answer.text(text, options),
    stopReason: 'refusal',
  }),
  /** The answer is truncated at the token limit. */
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
  /** The answer after a delay. */
  slow: (firstByteAfterMs: number, slowed: ModelAnswer | string): ModelAnswer => ({
    ...asAnswer(slowed),
    firstByteAfterMs,
  }),
  /** The connection is reset before the headers, or after `afterChunks` pieces of the answer. */
  dropped: (interrupted: ModelAnswer | string = PLACEHOLDER, where: Where = {}): ModelAnswer => ({
    ...asAnswer(interrupted),
    interruption: { how: 'dropped', ...where },
  }),
  /** Silence before the headers, or after `afterChunks` pieces, until either side closes the connection. */
  hanging: (interrupted: ModelAnswer | string = PLACEHOLDER, where: Where = {}): ModelAnswer => ({
    ...asAnswer(interrupted),
    interruption: { how: 'hanging', ...where },
  }),
  /** A pause before the headers, or after `afterChunks` pieces, until the test calls `release()`. */
  held: (interrupted: ModelAnswer | string = PLACEHOLDER, where: Where = {}): ModelAnswer => ({
    ...asAnswer(interrupted),
    interruption: { how: 'held', ...where },
  }),
}

/** Long enough for several pieces. */
const PLACEHOLDER =
  'An answer of the simulated model, in several pieces, so that it can stop between two of them.'

/** A string in a script stands for a text answer. */
export function asAnswer(given: ModelAnswer | string): ModelAnswer {
  return typeof given === 'string' ? answer.text(given) : given
}
