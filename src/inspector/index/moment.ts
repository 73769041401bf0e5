/** The whole system at one position: from the index alone, so that the page stays responsive while its slider is dragged. */
import { instant } from '../../clock.ts'
import type { ActorRow, LogView, NamesView, Totals } from '../view.ts'
import type { LogIndex } from './index.ts'
import { toneOfStatus } from './tones.ts'
import type { StreamTrack } from './track.ts'

const LISTED_NAMES = 500
const LISTED_BROKEN_RECORDS = 100

export const logView = (index: LogIndex, storeId: string, head: number): LogView => ({
  storeId,
  head: Math.max(head, index.position),
  indexed: index.position,
  streams: index.tracks.length,
  types: index.table.types.all.length,
  broken: index.broken.slice(0, LISTED_BROKEN_RECORDS),
  ended: index.ended,
})

export const namesView = (index: LogIndex): NamesView => ({
  types: [...index.table.types.all].sort(),
  streams: index.tracks
    .slice(0, LISTED_NAMES)
    .map(({ name }) => name)
    .sort(),
})

export const timeAt = (index: LogIndex, position: number): string =>
  position < 1 || position > index.position ? '' : instant(index.table.time(position))

/** Actors listed of each kind; the search finds the others. */
const LISTED_ACTORS = 200

/** The actors that existed at a position, with their state. Agents by name; runs and all others by last fact, newest first. */
export function actorRows(
  index: LogIndex,
  position: number,
  text: string,
): { readonly actors: readonly ActorRow[]; readonly more: number } {
  const kinds = new Map<string, ListedTrack[]>([
    ['agent', []],
    ['run', []],
  ])
  for (const track of index.tracks) {
    const last = track.lastUpTo(position)
    if (last === 0 || !isNamed(track, text)) continue
    const kind = kinds.get(track.actorKind) ?? []
    kinds.set(track.actorKind, kind)
    kind.push({ track, last, isGone: index.table.status(last) === 'absent' })
  }
  const actors: ActorRow[] = []
  let more = 0
  for (const [kind, rows] of kinds) {
    // Removed agents last: what is listed is bounded.
    rows.sort((a, b) => Number(a.isGone) - Number(b.isGone) || b.last - a.last)
    const shown = rows.slice(0, LISTED_ACTORS)
    if (kind === 'agent') shown.sort((a, b) => (a.track.id < b.track.id ? -1 : 1))
    actors.push(...shown.map(({ track, last }) => actorRow(index, track, last)))
    more += rows.length - shown.length
  }
  return { actors, more }
}

interface ListedTrack {
  readonly track: StreamTrack
  readonly last: number
  readonly isGone: boolean
}

/** Whether a text is part of an actor's name, or of its label. */
export const isNamed = ({ name, label, asked }: StreamTrack, text: string): boolean =>
  text === '' || name.includes(text) || `${label} ${asked}`.toLowerCase().includes(text.toLowerCase())

export function actorRow({ table }: LogIndex, track: StreamTrack, last: number): ActorRow {
  const { name, actorKind, id, label, asked } = track
  const status = table.status(last)
  return {
    stream: name,
    kind: actorKind,
    id,
    label,
    asked,
    status,
    tone: toneOfStatus(status),
    ...table.measures(last),
    version: table.version(last),
    position: last,
  }
}

export function totals(index: LogIndex, position: number): Totals {
  const { table } = index
  const sums = { agents: 0, busy: 0, waiting: 0, failing: 0, runs: 0, tokens: 0, costUsd: 0 }
  for (const track of index.tracks) {
    const last = track.lastUpTo(position)
    if (last === 0) continue
    const status = table.status(last)
    if (track.actorKind === 'run') sums.runs++
    if (track.actorKind !== 'agent') continue
    const { tokens, costUsd } = table.measures(last)
    if (status !== 'absent') sums.agents++
    if (status === 'busy') sums.busy++
    if (status === 'retry') sums.waiting++
    if (toneOfStatus(status) === 'bad') sums.failing++
    sums.tokens += tokens
    sums.costUsd += costUsd
  }
  return { ...sums, ...table.counted(position) }
}
