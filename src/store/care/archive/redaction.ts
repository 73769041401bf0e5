/** Facts without the words in them: every text that is not known to be harmless gives way to its length. */
import type { Json, JsonObject } from '../../../events/json.ts'
import type { CommitNote } from '../../level/record.ts'

/** Names, instants and words of this program's own. A field that is new is redacted until it is put here. */
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
  'model',
  'allowedTools',
  'tool',
  'tag',
  'kind',
  'permissions',
  'status',
  'uses',
  'carriedFrom',
])

/** The same shape, with numbers, ids and instants, and none of the words. */
export const redactedData = (data: JsonObject): JsonObject => fields(data)

/** A summary is made for lists, and may hold words as well. */
export function redactedNote(note: CommitNote | null): CommitNote | null {
  if (!note?.summary) return note
  // A hash of a state would confirm a guess at the words in it.
  const { state, info, ...summary } = note.summary
  return { ...note, summary: { ...summary, ...(info && { info: fields(info) }) } }
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

/** A body beside the log, or one that was dropped: its hash would confirm a guess at it. */
const isBody = (value: JsonObject): value is { sha256: string; bytes: number } =>
  'sha256' in value && 'bytes' in value && Object.keys(value).every((name) => BODY_FIELDS.has(name))

const BODY_FIELDS = new Set(['sha256', 'bytes', 'dropped'])
