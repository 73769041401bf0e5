/** Requests to the Anthropic Messages API, parsed into what a test wants to see. */
import type { IncomingHttpHeaders } from 'node:http'

/** One block of a message, as sent: text, tool_use, tool_result, image and others. */
export interface WireBlock {
  readonly type: string
  readonly [field: string]: unknown
}

export interface WireMessage {
  /** Also `system`: the CLI puts its own notes between the turns under that role. */
  readonly role: string
  readonly content: string | readonly WireBlock[]
}

/** One turn of the conversation, without what the CLI adds itself. */
export type ConversationTurn = readonly [role: string, text: string]

/** A request to the model. */
export interface ModelRequest {
  /** From 1, in the order of arrival among the requests of its kind. */
  readonly ordinal: number
  readonly model: string
  /** The whole system prompt, its blocks joined by blank lines. */
  readonly system: string
  readonly messages: readonly WireMessage[]
  /** The turns of user and assistant, trimmed; tool use is shown as `[Write {...}]` and `[result ...]`. */
  readonly conversation: readonly ConversationTurn[]
  /** What the user said last. */
  readonly prompt: string
  /** The names of the tools that the model may use. */
  readonly tools: readonly string[]
  readonly stream: boolean
  readonly maxTokens: number
  /** The session according to the CLI's header; null without one. */
  readonly sessionId: string | null
  /** The HTTP headers for authentication, version, beta features, session, retries and the user agent. */
  readonly headers: Readonly<Record<string, string>>
}

const KEPT_HEADERS = [
  'x-api-key',
  'authorization',
  'anthropic-version',
  'anthropic-beta',
  'user-agent',
  'x-claude-code-session-id',
  'x-stainless-retry-count',
]

/** Parses a request; its ordinal is 0. Throws an error that says what is wrong with an invalid one. */
export function parseModelRequest(body: string, headers: IncomingHttpHeaders): ModelRequest {
  const parsed: unknown = JSON.parse(body)
  if (!isRecord(parsed)) throw new TypeError('the body is not a JSON object')
  if (typeof parsed.model !== 'string') throw new TypeError('model: Field required')
  if (!Array.isArray(parsed.messages)) throw new TypeError('messages: Field required')
  const messages = parsed.messages.map(toMessage)
  const conversation = conversationOf(messages)
  return {
    ordinal: 0,
    model: parsed.model,
    system: textOf(toContent(parsed.system ?? ''), '\n\n'),
    messages,
    conversation,
    prompt: conversation.findLast(([role]) => role === 'user')?.[1] ?? '',
    tools: toolNames(parsed.tools),
    stream: parsed.stream === true,
    maxTokens: typeof parsed.max_tokens === 'number' ? parsed.max_tokens : 0,
    sessionId: header(headers, 'x-claude-code-session-id') ?? null,
    headers: Object.fromEntries(KEPT_HEADERS.flatMap((name) => entry(name, header(headers, name)))),
  }
}

/** A message's text, its blocks joined; other blocks appear in square brackets. */
export function textOf(content: WireMessage['content'], separator = '\n'): string {
  if (typeof content === 'string') return content
  return content.map(blockText).join(separator)
}

function conversationOf(messages: readonly WireMessage[]): ConversationTurn[] {
  return messages.flatMap(({ role, content }): ConversationTurn[] => {
    if (role === 'system') return []
    const text = withoutReminders(textOf(content)).trim()
    return text === '' ? [] : [[role, text]]
  })
}

/** Inside this tag the CLI adds its own text to the user's message. */
const withoutReminders = (text: string) => text.replace(/<system-reminder>.*?<\/system-reminder>/gs, '')

function blockText(block: WireBlock): string {
  if (block.type === 'text') return String(block.text ?? '')
  if (block.type === 'tool_use') return `[${block.name} ${JSON.stringify(block.input)}]`
  if (block.type === 'tool_result') return `[result ${textOf(toContent(block.content ?? ''))}]`
  return block.type === 'thinking' ? '' : `[${block.type}]`
}

function toMessage(value: unknown): WireMessage {
  if (!isRecord(value) || typeof value.role !== 'string') throw new TypeError('messages: role required')
  return { role: value.role, content: toContent(value.content) }
}

function toContent(value: unknown): string | readonly WireBlock[] {
  if (typeof value === 'string') return value
  if (Array.isArray(value) && value.every(isBlock)) return value
  throw new TypeError('content: a string or a list of blocks is required')
}

function toolNames(tools: unknown): string[] {
  if (!Array.isArray(tools)) return []
  return tools.flatMap((tool: unknown) =>
    isRecord(tool) && typeof tool.name === 'string' ? [tool.name] : [],
  )
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
const isBlock = (value: unknown): value is WireBlock => isRecord(value) && typeof value.type === 'string'

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

const entry = (name: string, value: string | undefined): [string, string][] =>
  value === undefined ? [] : [[name, value]]
