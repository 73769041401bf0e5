/** Redaction: replaces every text in a fact by its length, except those known to be harmless. */
import { defined, type Json, type JsonObject } from '../../../events/json.ts'
import type { CommitNote } from '../../level/entries.ts'

/** Fields with names, timestamps and this program's own terms. A new field is redacted until it is listed here. */
const HARMLESS = new Set([
  'taskId',
  'callId',
  'sessionId',
  'parentSessionId',
  'currentSession',
  'session',
  'startTime',
  'deadlineAt',
  'dueAt',
  'resetsAt',
  'window',
  'model',
  'allowedTools',
  'approveTools',
  'tool',
  'toolUseId',
  'verdict',
  'tag',
  'kind',
  'permissions',
  'status',
  'uses',
  'messageId',
  'messages',
  'team',
  'onMessage',
  'requires',
  'requiredBefore',
  'carriedFrom',
])

/** The same shape, with its numbers, ids and timestamps, but no other text. */
export const redactedData = (data: JsonObject): JsonObject => fields(data)

/** Redacts the summary, which may contain text as well. */
export function redactedNote(note: CommitNote | null): CommitNote | null {
  if (!note?.summary) return note
  // The hash of a state would confirm a guess at its content.
  const { state, info, ...summary } = note.summary
  return { ...note, summary: defined({ ...summary, info: info && fields(info) }) }
}

function fields(data: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, redacted(name, value)]))
}

function redacted(name: string, value: Json): Json {
  if (typeof value === 'string') {
    return HARMLESS.has(name) ? value : `[redacted: ${value.length} characters]`
  }
  if (value === null || typeof value !== 'object') return value
  if (isList(value)) return value.map((item) => redacted(name, item))
  return isBody(value) ? `[redacted: ${value.bytes} bytes]` : fields(value)
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)

/** A reference to a blob or a dropped body: its hash would confirm a guess at the content. */
const isBody = (value: JsonObject): value is { sha256: string; bytes: number } =>
  'sha256' in value && 'bytes' in value && Object.keys(value).every((name) => BODY_FIELDS.has(name))

const BODY_FIELDS = new Set(['sha256', 'bytes', 'dropped'])
