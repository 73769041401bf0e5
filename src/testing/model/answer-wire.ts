/** An answer as bytes of the Messages API: a stream of server-sent events, or one JSON document. */
import { createHash } from 'node:crypto'
import type { AnswerBlock, AnswerUsage, FailureAnswer, MessageAnswer } from './answer.ts'
import type { ModelRequest } from './messages-api.ts'

const DEFAULT_CHUNK_SIZE = 40

/** A part of a stream. `piece` marks the parts with content: delays and interruptions count only those. */
export interface StreamPart {
  readonly piece: boolean
  readonly bytes: string
}

/** The answer as server-sent events, in the API's order. */
export function* streamParts(given: MessageAnswer, request: ModelRequest): Generator<StreamPart> {
  const { output_tokens, ...input } = usageOf(given, request)
  const id = messageId(request)
  yield event('message_start', {
    message: { ...envelope(id, request), usage: { ...input, output_tokens: 1 } },
  })
  yield event('ping', {})
  for (const [index, block] of given.content.entries()) {
    const wire = wireBlock(block, id, index)
    const empty = wire.type === 'text' ? { ...wire, text: '' } : { ...wire, input: {} }
    yield event('content_block_start', { index, content_block: empty })
    for (const delta of deltas(block, given.chunkSize ?? DEFAULT_CHUNK_SIZE)) {
      yield { ...event('content_block_delta', { index, delta }), piece: true }
    }
    yield event('content_block_stop', { index })
  }
  const delta = { stop_reason: given.stopReason, stop_sequence: null }
  yield event('message_delta', { delta, usage: { ...input, output_tokens } })
  yield event('message_stop', {})
}

/** The answer as one JSON document. */
export function wholeMessage(given: MessageAnswer, request: ModelRequest): string {
  const id = messageId(request)
  return JSON.stringify({
    ...envelope(id, request),
    content: given.content.map((block, index) => wireBlock(block, id, index)),
    stop_reason: given.stopReason,
    usage: usageOf(given, request),
  })
}

export function failureBody({ errorType, message }: FailureAnswer): string {
  return JSON.stringify({ type: 'error', error: { type: errorType, message }, request_id: 'req_simulated' })
}

/** Four characters per token: plausible, and deterministic. */
export const estimateTokens = (characters: number): number => Math.max(1, Math.ceil(characters / 4))

function event(type: string, fields: Record<string, unknown>): StreamPart {
  return { piece: false, bytes: `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n` }
}

function envelope(id: string, request: ModelRequest) {
  return {
    id,
    type: 'message',
    role: 'assistant',
    model: request.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
  }
}

/**
 * A hash of the conversation, so that ids are deterministic and yet differ between turns, even if each turn has a new
 * server: the CLI takes two answers with the same id for parts of one message.
 */
function messageId(request: ModelRequest): string {
  const digest = createHash('sha256').update(JSON.stringify(request.messages)).digest('hex')
  return `msg_simulated_${digest.slice(0, 20)}_${request.ordinal}`
}

function wireBlock(block: AnswerBlock, id: string, index: number) {
  if (block.type === 'text') return { type: 'text', text: block.text }
  return { type: 'tool_use', id: `toolu_${id.slice(4)}_${index}`, name: block.name, input: block.input }
}

function* deltas(block: AnswerBlock, size: number) {
  const isText = block.type === 'text'
  const whole = isText ? block.text : JSON.stringify(block.input)
  // By code point: half a surrogate pair is no valid UTF-8.
  for (const [piece] of whole.matchAll(new RegExp(`.{1,${Math.max(1, size)}}`, 'gsu'))) {
    yield isText ? { type: 'text_delta', text: piece } : { type: 'input_json_delta', partial_json: piece }
  }
}

function usageOf({ content, usage = {} }: MessageAnswer, request: ModelRequest) {
  const said = request.conversation.reduce((sum, [, text]) => sum + text.length, 0)
  const answered = content.reduce((sum, block) => sum + JSON.stringify(block).length, 0)
  const complete: Required<AnswerUsage> = {
    inputTokens: estimateTokens(said),
    outputTokens: estimateTokens(answered),
    cacheReadTokens: 0,
    cacheCreationTokens: 0,
    ...usage,
  }
  return {
    input_tokens: complete.inputTokens,
    cache_read_input_tokens: complete.cacheReadTokens,
    cache_creation_input_tokens: complete.cacheCreationTokens,
    output_tokens: complete.outputTokens,
  }
}
