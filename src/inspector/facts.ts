/** Facts as the page shows them: as a line in the list, in full, and their long texts in pieces. */

import { plainFold } from '../actors/engine/fold.ts'
import type { Recorded } from '../events/envelope.ts'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { duration } from '../events/figures.ts'
import { visible } from '../events/hidden-characters.ts'
import type { EventStore } from '../store/event-store.ts'
import { factId } from '../store/fact-text.ts'
import { changesFiles } from './files.ts'
import type { LogIndex } from './index/index.ts'
import { type LogEntry, readLogEntries } from './index/reading.ts'
import { toneOfType, UNREADABLE } from './index/tones.ts'
import { statusOf } from './index/track.ts'
import { bounded, brief, isReference, unmarked, valueAt } from './text.ts'
import type { BodyView, FactLine, FactView, TextView } from './view.ts'

/** Positions at most this far apart are read in one range. */
const LARGEST_GAP = 16

/** The lines of the facts at these positions, which must ascend. */
export async function factLines(
  store: EventStore,
  index: LogIndex,
  positions: readonly number[],
): Promise<readonly FactLine[]> {
  const wanted = new Set(positions)
  const lines: FactLine[] = []
  for (const [from, to] of ranges(positions)) {
    for await (const entry of readLogEntries(store, from, to)) {
      if (wanted.has(entry.position)) lines.push(factLine(index, entry))
    }
  }
  return lines
}

/** One fact in full; null if the log does not reach its position. */
export async function factView(
  store: EventStore,
  index: LogIndex,
  position: number,
): Promise<FactView | null> {
  for await (const entry of readLogEntries(store, position, position)) {
    const { recorded } = entry
    const { v = 0, epoch = 0, correlationId = null, causationId = null } = recorded ?? {}
    return {
      ...factLine(index, entry),
      v,
      epoch,
      correlationId: correlationId === null ? null : visible(correlationId),
      causationId: causationId === null ? null : visible(causationId),
      causePosition: positionOfFact(store.storeId, causationId),
      changesFiles: changesFiles(index, position),
      ...bounded(recorded?.data ?? null, 'data'),
    }
  }
  return null
}

const LARGEST_PIECE = 100_000

/** A piece of a long text, from an offset. */
export function pieceOf(text: string, offset: number): BodyView {
  const end = Math.min(text.length, offset + LARGEST_PIECE)
  return { text: visible(text.slice(offset, end)), offset, end, length: text.length }
}

/**
 * A piece of a long text, in the fact itself or in a body beside the log.
 *
 * @throws InvalidInputError, CorruptBlob
 */
export async function bodyView(
  store: EventStore,
  position: number,
  path: string,
  offset: number,
): Promise<BodyView> {
  for await (const { recorded } of readLogEntries(store, position, position)) {
    const [root, ...keys] = path.split('.')
    const found = root === 'data' && recorded ? valueAt(recorded.data, keys) : undefined
    const text = isReference(found) ? await store.blobs.get(found) : found
    if (typeof text !== 'string') break
    return pieceOf(text, offset)
  }
  throw new InvalidInputError({
    what: 'path',
    problem: `the fact at position ${position} has no text at ${path}`,
  })
}

/** What of a text is sent at first: as much as is rendered at once. */
const RENDERED_TEXT = 16_000

/** A text of a fact, or its beginning; null if the fact has none there. */
export async function textView(
  store: EventStore,
  { data, position }: Recorded,
  path: string,
  longest = RENDERED_TEXT,
): Promise<TextView | null> {
  const body = valueAt({ data }, path.split('.'))
  const place = { position, path }
  const begin = (text: string): TextView => {
    const end = Math.min(text.length, longest)
    return { ...place, text: visible(text.slice(0, end)), end, length: text.length, problem: null }
  }
  if (typeof body === 'string') return begin(body)
  if (body === null || body === undefined) return null
  const missing = { ...place, text: '', end: 0, length: 0 }
  if (!isReference(body)) return { ...missing, problem: 'The text was dropped when the log was compacted.' }
  try {
    return begin(await store.blobs.get(body))
  } catch (error) {
    if (!(error instanceof ClaudeAgentError)) throw error
    return { ...missing, problem: error.summary }
  }
}

function factLine(index: LogIndex, entry: LogEntry): FactLine {
  const { position, recorded } = entry
  if (!recorded) {
    const nothing = { at: '', stream: '', label: '', version: 0, brief: '', change: null }
    return { position, type: UNREADABLE, tone: 'bad', problem: entry.problem, ...nothing }
  }
  const { at, stream, version, type } = recorded
  return {
    position,
    at,
    stream,
    label: index.track(stream)?.label ?? stream.slice(stream.indexOf('/') + 1),
    version,
    type: visible(type),
    tone: toneOfType(type),
    brief: briefOf(recorded),
    change: changeAt(index, position),
    problem: null,
  }
}

/** The states before and after a fact; null if they are equal or unknown. */
export function changeAt(index: LogIndex, position: number): readonly [string, string] | null {
  const track = index.trackAt(position)
  if (!track?.kind) return null
  const before = track.lastUpTo(position - 1)
  const from = before === 0 ? statusOf(plainFold(track.kind.fold).initial) : index.table.status(before)
  const to = index.table.status(position)
  return from === to ? null : [from, to]
}

/** The most telling field of a fact, on one line. */
function briefOf({ data, at }: Recorded): string {
  const { error, errors, name, text, prompt, finalOutput, reason, dueAt, attempt, agent, pid, taskId } =
    data as Record<string, unknown>
  if (error && typeof error === 'object') {
    const { tag, message } = error as { tag?: unknown; message?: unknown }
    return brief(`${tag}: ${message}`)
  }
  if (Array.isArray(errors) && errors.length > 0) {
    const { agent: who, code, message } = errors[0] as Record<string, unknown>
    return brief(`${who}: ${code}: ${message}`)
  }
  if (typeof dueAt === 'string') {
    const delayMs = Math.max(0, Date.parse(dueAt) - Date.parse(at))
    return brief(`attempt ${attempt} in ${duration(delayMs)}`)
  }
  if (typeof name === 'string' && name !== '') return brief(name)
  for (const body of [text, prompt, finalOutput]) {
    if (typeof body === 'string') return unmarked(body)
    if (isReference(body)) return `${body.bytes.toLocaleString('en')} bytes`
  }
  if (typeof attempt === 'number') return `attempt ${attempt}`
  for (const word of [reason, agent, taskId]) if (typeof word === 'string') return brief(word)
  return typeof pid === 'number' ? `process ${pid}` : ''
}

/** The position of the fact with this id; null if it is from another store. */
export function positionOfFact(storeId: string, id: string | null): number | null {
  const position = Number(/(\d{1,15})$/.exec(id ?? '')?.[1] ?? 0)
  return position > 0 && factId(storeId, position) === id ? position : null
}

/** Groups ascending positions into ranges. */
function ranges(positions: readonly number[]): [from: number, to: number][] {
  const found: [number, number][] = []
  for (const position of positions) {
    const last = found.at(-1)
    if (last && position - last[1] <= LARGEST_GAP) last[1] = position
    else found.push([position, position])
  }
  return found
}
