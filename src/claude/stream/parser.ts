/** Parses the output of `claude` line by line: pure, and assuming nothing about its shape. */

import { defined } from '../../events/json.ts'
import type { ServerStatus } from '../../events/options/servers.ts'
import type { ConcealedPieces, Concealment } from '../../events/secrets/concealment.ts'
import { oneLine, type Redact } from '../../events/secrets/redaction.ts'
import type { ProcessMessage } from '../process/call-run.ts'
import type { AccountWindow, CallMessage } from '../runner.ts'
import { type StreamedUsage, streamedUsage } from '../usage.ts'
import { windowsOf, withNews } from './account-limit.ts'
import type { LongRecord } from './line-splitter.ts'
import {
  label,
  labelAt,
  listAt,
  numberAt,
  parseRecord,
  recordAt,
  recordsAt,
  stringAt,
  type UntrustedRecord,
} from './untrusted-json.ts'

/** What the output has shown so far, for the classification and the result. */
export interface StreamFacts {
  /** The last one counts: background work of the CLI may print several. */
  readonly result: UntrustedRecord | null
  /** Whether a request to the service was started. */
  readonly requested: boolean
  /** Whether the model has said anything. */
  readonly answered: boolean
  /** The last request that the CLI announced it would retry; null if none. */
  readonly retry: Extract<CallMessage, { type: 'retry' }> | null
  /** What the model had said when it was cut off, if its last message continues there: the result has only the rest. */
  readonly begun: string
  /** Whether the last message was streamed and has no end: it broke. */
  readonly endsOpen: boolean
  /** The error of the model's last message, such as "rate_limit"; null if that message was fine. */
  readonly assistantError: string | null
  /** What was last said about the windows of the account. */
  readonly windows: readonly AccountWindow[]
  /** The model that answered last: with a fallback, not the one requested. */
  readonly model: string | null
  readonly version: string | null
  /** The number of lines that are not JSON records. */
  readonly unreadable: number
  /** Whether the last line was one of them: the output was probably cut off. */
  readonly endsUnreadable: boolean
  /** Unknown types, and how often each occurred. */
  readonly unknown: ReadonlyMap<string, number>
  /** The bytes that count against the limit of the call: text of the answer, and lines that are not understood. */
  readonly countedBytes: number
}

export interface StreamParser {
  /** The messages in the line; often none. */
  read(line: string): ProcessMessage[]
  readonly facts: StreamFacts
  /** What was said so far, as far as it tells what a call without a result has cost. */
  readonly streamed: Pick<StreamedUsage, 'spending'>
}

/** Known types that say nothing a call needs. */
const SILENT = new Set(
  'command_lifecycle conversation_reset control_request tool_progress keep_alive auth_status prompt_suggestion'.split(
    ' ',
  ),
)

/** A long result is kept. Whatever else is long is skipped, and costs nothing if its type is a known one. */
export function longRecord(type: string): LongRecord {
  if (type === 'result') return 'keep'
  return SILENT.has(type) || SPOKEN.has(type) ? 'skip' : 'count'
}

/** Known types that a parser reads. */
const SPOKEN = new Set([
  ...['system', 'stream_event', 'assistant', 'user', 'control_response', 'rate_limit_event', 'result'],
])

/**
 * Whether this is how the CLI asks a model that was cut off (at its limit of tokens; since 2.1.330 also by a broken
 * connection) for the rest of its answer. It may also ask for all of it again.
 */
export const asksForTheRest = (text: string): boolean =>
  /\b(?:Resume directly|Continue from where you left off)\b/.test(text)

/**
 * Makes a parser for one call.
 *
 * Text is taken from partial messages as they stream. If there were none (an older version, or a broken stream that
 * the CLI repeated without streaming), it is taken from the whole message. A subagent's text is never part of the
 * answer. Text of a message that is then repeated is taken back.
 *
 * @param secrets What is known to be secret is in no message. Default: nothing is.
 */
export function streamParser(redact: Redact, secrets?: Concealment): StreamParser {
  const pieces = secrets?.pieces()
  const streamed = streamedUsage()
  const facts = {
    result: null as UntrustedRecord | null,
    requested: false,
    answered: false,
    begun: '',
    endsOpen: false,
    retry: null as StreamFacts['retry'],
    assistantError: null as string | null,
    windows: [] as readonly AccountWindow[],
    model: null as string | null,
    version: null as string | null,
    unreadable: 0,
    endsUnreadable: false,
    unknown: new Map<string, number>(),
    countedBytes: 0,
  }
  /** The id of the message being streamed, and of the last ones whose text has been reported. */
  let streaming: string | null = null
  const reported = new Set<string>()
  const report = (id: string) => {
    reported.delete(id)
    reported.add(id)
    const [oldest = id] = reported
    if (reported.size > MOST_REPORTED) reported.delete(oldest)
  }
  /** How many characters of a message have been reported that is not complete. */
  let unfinished = 0
  /** The stream broke, and the CLI repeats the message: what was said of it does not count. */
  const takeBack = (): CallMessage[] => {
    const characters = unfinished
    unfinished = 0
    return characters > 0 ? [{ type: 'retract', characters }] : []
  }

  /** The text of the message's whole blocks, and whether the next message continues it. */
  let message: { readonly id: string | null; said: string; isCutOff: boolean } | null = null
  const messageOf = (id: string | null) => {
    if (message !== null && message.id === id) return message
    facts.begun = message?.isCutOff ? facts.begun + message.said : ''
    facts.endsOpen = false
    message = { id, said: '', isCutOff: false }
    return message
  }

  const readers: Readonly<Record<string, (record: UntrustedRecord) => ProcessMessage[]>> = {
    system(record) {
      const subtype = stringAt(record, 'subtype')
      if (subtype === 'init') {
        facts.model = labelAt(record, 'model')
        facts.version = labelAt(record, 'claude_code_version')
        return [
          {
            type: 'init',
            sessionId: labelAt(record, 'session_id') ?? '',
            model: facts.model,
            version: facts.version,
            tools: listAt(record, 'tools')
              .slice(0, MOST_TOOLS)
              .flatMap((tool) => (typeof tool === 'string' ? [label(tool)] : [])),
            servers: serversIn(record, 'mcp_servers'),
          },
        ]
      }
      if (subtype === 'status' && stringAt(record, 'status') === 'requesting') facts.requested = true
      if (subtype !== 'api_retry') return []
      const retry = retryMessage(record, redact)
      facts.retry = retry
      return [retry]
    },

    stream_event(record) {
      facts.requested = true
      facts.answered = true
      streamed.add('stream_event', record, facts.model)
      const event = recordAt(record, 'event')
      if (record.parent_tool_use_id) return []
      const type = stringAt(event, 'type')
      if (type === 'message_start') {
        streaming = labelAt(recordAt(event, 'message'), 'id')
        messageOf(streaming)
        facts.endsOpen = true
        return takeBack()
      }
      if (type === 'message_stop') {
        // Newer versions also end a message that broke: its whole blocks count.
        unfinished = recordAt(record, 'abandoned_blocks') ? unfinished - (message?.said.length ?? 0) : 0
        return takeBack()
      }
      const delta = recordAt(event, 'delta')
      const stopReason = stringAt(delta, 'stop_reason')
      if (stopReason !== null) facts.endsOpen = false
      if (message !== null && stopReason === 'max_tokens') message.isCutOff = true
      const text = stringAt(delta, 'type') === 'text_delta' ? stringAt(delta, 'text') : null
      if (!text) return []
      if (streaming !== null) report(streaming)
      unfinished += text.length
      return [{ type: 'text', text }]
    },

    assistant(record) {
      const said = recordAt(record, 'message')
      const model = labelAt(said, 'model')
      const isSynthetic = model === '<synthetic>'
      if (!isSynthetic) streamed.add('assistant', record, facts.model)
      if (record.parent_tool_use_id) return []
      facts.requested = true
      facts.assistantError = labelAt(record, 'error')
      // Written by the CLI itself, such as the text of an API error: the result repeats it.
      if (isSynthetic) return []
      facts.model = model ?? facts.model
      facts.answered = true
      const id = labelAt(said, 'id')
      const isReported = reported.has(id ?? '')
      const takenBack = id === streaming ? [] : takeBack()
      const blocks = recordsAt(said, 'content')
      const current = messageOf(id)
      for (const block of blocks)
        if (stringAt(block, 'type') === 'text') current.said += stringAt(block, 'text') ?? ''
      const stopReason = stringAt(said, 'stop_reason')
      if (stopReason !== null) facts.endsOpen = false
      if (stopReason === 'max_tokens') current.isCutOff = true
      return takenBack.concat(blocks.flatMap((block) => blockMessages(block, isReported)))
    },

    user(record) {
      // Newer versions print what they tell the model; older ones always ask for the rest.
      if (message === null || record.isSynthetic !== true || record.parent_tool_use_id) return []
      const [told] = recordsAt(recordAt(record, 'message'), 'content')
      message.isCutOff = asksForTheRest(stringAt(told ?? null, 'text') ?? '')
      return []
    },

    control_response(record) {
      // An older CLI that does not know the question has no servers to tell of.
      const servers = serversIn(recordAt(recordAt(record, 'response'), 'response'), 'mcpServers')
      return [{ type: 'servers', servers }]
    },

    rate_limit_event(record) {
      const windows = windowsOf(record)
      facts.windows = withNews(facts.windows, windows)
      return windows.length > 0 ? [{ type: 'account', windows }] : []
    },

    result(record) {
      facts.result = record
      return []
    },
  }

  return {
    facts,
    streamed,
    read(line) {
      if (line.trim() === '') return []
      const record = parseRecord(line)
      facts.endsUnreadable = record === null
      if (record === null) {
        facts.unreadable += 1
        facts.countedBytes += Buffer.byteLength(line) + 1
        return facts.unreadable > MOST_WARNINGS ? [] : [unreadableLine(oneLine(redact(line), 200), facts)]
      }
      const type = labelAt(record, 'type') ?? '(none)'
      const reader = Object.hasOwn(readers, type) ? readers[type] : undefined
      if (reader) {
        const messages = reader(secrets ? secrets.json(record) : record)
        for (const message of messages)
          if (message.type === 'text') facts.countedBytes += Buffer.byteLength(message.text)
        return pieces ? withPieces(messages, pieces, type === 'stream_event') : messages
      }
      if (SILENT.has(type)) return []
      facts.countedBytes += Buffer.byteLength(line) + 1
      if (facts.unknown.has(type) || facts.unknown.size < MOST_UNKNOWN_TYPES)
        facts.unknown.set(type, (facts.unknown.get(type) ?? 0) + 1)
      return []
    },
  }
}

/** A secret may be divided among pieces of text. */
function withPieces(
  messages: readonly ProcessMessage[],
  pieces: ConcealedPieces,
  isText: boolean,
): ProcessMessage[] {
  const rest = isText ? '' : pieces.end()
  const shown = messages.flatMap((message): ProcessMessage[] => {
    if (message.type === 'retract') {
      const characters = pieces.retract(message.characters)
      return characters > 0 ? [{ type: 'retract', characters }] : []
    }
    if (message.type !== 'text') return [message]
    const text = pieces.add(message.text)
    return text === '' ? [] : [{ type: 'text', text }]
  })
  return rest === '' ? shown : [{ type: 'text', text: rest }, ...shown]
}

/** The MCP servers in a record, each with its status. */
export const serversIn = (record: UntrustedRecord | null, key: string): readonly ServerStatus[] =>
  recordsAt(record, key)
    .slice(0, MOST_SERVERS)
    .map((server) => ({
      name: labelAt(server, 'name') ?? '',
      status: labelAt(server, 'status') ?? 'unknown',
    }))

/** A message is printed whole soon after it has streamed: older ids are not needed. */
const MOST_REPORTED = 100

/** Beyond these numbers, the output is not listed more fully. */
const MOST_WARNINGS = 10
const MOST_TOOLS = 1000
const MOST_SERVERS = 100
const MOST_UNKNOWN_TYPES = 100

const unreadableLine = (line: string, { unreadable }: Pick<StreamFacts, 'unreadable'>): CallMessage => ({
  type: 'warning',
  message:
    unreadable < MOST_WARNINGS
      ? `claude printed a line that is not JSON: ${line}`
      : `claude printed another line that is not JSON, and further ones are not reported: ${line}`,
})

function blockMessages(block: UntrustedRecord, isReported: boolean): CallMessage[] {
  const type = stringAt(block, 'type')
  if (type === 'tool_use') {
    return [{ type: 'tool', name: labelAt(block, 'name') ?? '', toolUseId: labelAt(block, 'id') ?? '' }]
  }
  const text = type === 'text' && !isReported ? stringAt(block, 'text') : null
  return text ? [{ type: 'text', text }] : []
}

function retryMessage(record: UntrustedRecord, redact: Redact): NonNullable<StreamFacts['retry']> {
  const status = numberAt(record, 'error_status')
  const error = oneLine(redact(stringAt(record, 'error') ?? 'no answer'), 200)
  const attempt = numberAt(record, 'attempt') ?? 1
  const delayMs = Math.round(numberAt(record, 'retry_delay_ms') ?? 0)
  return {
    type: 'retry',
    attempt,
    maxAttempts: numberAt(record, 'max_retries') ?? 1,
    delayMs,
    problem: status === null ? error : `${error} (${status})`,
    ...defined({
      status: status ?? undefined,
      retryAfterMs: isRequestedDelay(delayMs, attempt) ? delayMs : undefined,
    }),
  }
}

/**
 * The CLI's own backoff starts at half a second and doubles, with up to 25% jitter. A longer delay, or one of whole
 * seconds, was requested by the service.
 */
const isRequestedDelay = (delayMs: number, attempt: number) =>
  delayMs > 625 * 2 ** (attempt - 1) || (delayMs > 0 && delayMs % 1000 === 0)
