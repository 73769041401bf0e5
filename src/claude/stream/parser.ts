/** Reads what `claude` prints, a line at a time: pure, and without trust in the shape of anything. */
import { oneLine, type Redact } from '../../events/redaction.ts'
import type { CallMessage } from '../runner.ts'
import {
  listAt,
  numberAt,
  parseRecord,
  recordAt,
  recordsAt,
  stringAt,
  type UntrustedRecord,
} from './untrusted-json.ts'

/** What a call's output has said so far, for the classification and for the result. */
export interface StreamFacts {
  /** The last one counts: background work of the CLI may give several. */
  readonly result: UntrustedRecord | null
  /** Whether a request to the service was begun. */
  readonly requested: boolean
  /** Whether the model has said anything. */
  readonly answered: boolean
  /** The last request that the CLI says it will send again; null when there was none. */
  readonly retry: Extract<CallMessage, { type: 'retry' }> | null
  /** The error of the last message of the model, such as "rate_limit"; null when that was a good one. */
  readonly assistantError: string | null
  /** The model that answered last, which with a fallback is not the one that was asked for. */
  readonly model: string | null
  readonly version: string | null
  /** Lines that are no JSON record. */
  readonly unreadable: number
  /** Whether the last line was one of them: then the output was probably cut. */
  readonly endsUnreadable: boolean
  /** Types that we do not know, and how often they came. */
  readonly unknown: ReadonlyMap<string, number>
}

export interface StreamParser {
  /** What the line says; nothing for what concerns nobody. */
  read(line: string): CallMessage[]
  readonly facts: StreamFacts
}

/** Types that are known to say nothing that a call needs. */
const SILENT = new Set(
  'user command_lifecycle conversation_reset control_request control_response rate_limit_event tool_progress keep_alive auth_status prompt_suggestion'.split(
    ' ',
  ),
)

/**
 * Makes a parser for one call.
 *
 * Text comes from the partial messages as it streams. A version that sends none, or an answer that came without them
 * (the CLI asks again without streaming when a stream breaks), gives its text with the whole message. What a subagent
 * says is never part of the answer.
 */
export function streamParser(redact: Redact): StreamParser {
  const facts = {
    result: null as UntrustedRecord | null,
    requested: false,
    answered: false,
    retry: null as StreamFacts['retry'],
    assistantError: null as string | null,
    model: null as string | null,
    version: null as string | null,
    unreadable: 0,
    endsUnreadable: false,
    unknown: new Map<string, number>(),
  }
  /** The message that is being streamed, and those whose text has been told. */
  let streaming: string | null = null
  const told = new Set<string>()

  const readers: Readonly<Record<string, (record: UntrustedRecord) => CallMessage[]>> = {
    system(record) {
      const subtype = stringAt(record, 'subtype')
      if (subtype === 'init') {
        facts.model = stringAt(record, 'model')
        facts.version = stringAt(record, 'claude_code_version')
        return [
          {
            type: 'init',
            sessionId: stringAt(record, 'session_id') ?? '',
            model: facts.model,
            version: facts.version,
            tools: listAt(record, 'tools').filter((tool) => typeof tool === 'string'),
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
      const event = recordAt(record, 'event')
      if (record.parent_tool_use_id) return []
      if (stringAt(event, 'type') === 'message_start') streaming = stringAt(recordAt(event, 'message'), 'id')
      const delta = recordAt(event, 'delta')
      const text = stringAt(delta, 'type') === 'text_delta' ? stringAt(delta, 'text') : null
      if (!text) return []
      if (streaming !== null) told.add(streaming)
      return [{ type: 'text', text }]
    },

    assistant(record) {
      if (record.parent_tool_use_id) return []
      facts.requested = true
      const message = recordAt(record, 'message')
      facts.assistantError = stringAt(record, 'error')
      const model = stringAt(message, 'model')
      // The CLI's own words, such as the text of an API error: they come again with the result.
      if (model === '<synthetic>') return []
      facts.model = model ?? facts.model
      facts.answered = true
      const isTold = told.has(stringAt(message, 'id') ?? '')
      return recordsAt(message, 'content').flatMap((block) => blockMessages(block, isTold))
    },

    result(record) {
      facts.result = record
      return []
    },
  }

  return {
    facts,
    read(line) {
      if (line.trim() === '') return []
      const record = parseRecord(line)
      facts.endsUnreadable = record === null
      if (record === null) {
        facts.unreadable += 1
        return [
          {
            type: 'warning',
            message: `claude printed a line that is not JSON: ${oneLine(redact(line), 200)}`,
          },
        ]
      }
      const type = stringAt(record, 'type') ?? '(none)'
      const reader = Object.hasOwn(readers, type) ? readers[type] : undefined
      if (reader) return reader(record)
      if (!SILENT.has(type)) facts.unknown.set(type, (facts.unknown.get(type) ?? 0) + 1)
      return []
    },
  }
}

function blockMessages(block: UntrustedRecord, isTold: boolean): CallMessage[] {
  const type = stringAt(block, 'type')
  if (type === 'tool_use') {
    return [{ type: 'tool', name: stringAt(block, 'name') ?? '', toolUseId: stringAt(block, 'id') ?? '' }]
  }
  const text = type === 'text' && !isTold ? stringAt(block, 'text') : null
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
    ...(status === null ? {} : { status }),
    ...(askedToWait(delayMs, attempt) ? { retryAfterMs: delayMs } : {}),
  }
}

/** The CLI's own back-off is half a second, doubled each time, and up to a quarter more. What is longer, or a whole
 * second, the service has asked for. */
const askedToWait = (delayMs: number, attempt: number) =>
  delayMs > 625 * 2 ** (attempt - 1) || (delayMs > 0 && delayMs % 1000 === 0)
