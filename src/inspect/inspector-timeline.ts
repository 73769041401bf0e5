/** The log as lanes: what state each actor was in and what happened to it, for as many columns as there are pixels. */
import type { LogIndex } from './inspector-index.ts'
import { markOf, toneOfStatus, toneOfType, weightOfStatus } from './inspector-tones.ts'
import type { StreamTrack } from './inspector-track.ts'
import type { Lane, MarkKind, OverviewView, TimelineView } from './inspector-view.ts'

export interface TimelineRange {
  readonly from: number
  readonly to: number
  readonly axis: 'order' | 'time'
  readonly columns: number
  /** Only lanes of streams whose name holds it. */
  readonly text: string
  /** How many lanes, and which is the first. */
  readonly lanes: number
  readonly firstLane: number
}

export function timeline(index: LogIndex, range: TimelineRange): TimelineView {
  const { from, to, axis, columns, text, lanes, firstLane } = range
  const fromMs = index.table.time(from)
  const toMs = Math.max(index.table.time(to), fromMs + 1)
  const columnOf =
    axis === 'time'
      ? (position: number) => ((index.table.time(position) - fromMs) / (toMs - fromMs)) * columns
      : (position: number) => ((position - from) / (to - from + 1)) * columns
  const tracks = index.tracks
    .filter((track) => track.name.includes(text) && isIn(track, index, from, to))
    .sort((a, b) => order(a) - order(b) || a.number - b.number)
  return {
    from,
    to,
    axis,
    columns,
    fromMs,
    toMs,
    lanes: tracks
      .slice(firstLane, firstLane + lanes)
      .map((track) =>
        lane(index, track, range, (position) => Math.min(columns - 1, Math.floor(columnOf(position)))),
      ),
    moreLanes: Math.max(0, tracks.length - firstLane - lanes),
    positions:
      axis === 'order'
        ? []
        : Array.from({ length: columns }, (_, column) => {
            const ms = fromMs + ((column + 1) / columns) * (toMs - fromMs)
            return Math.min(to, Math.max(from, index.table.countUpTo(ms)))
          }),
  }
}

/** Runs above the agents that they ask. */
const order = ({ actorKind }: StreamTrack) => (actorKind === 'run' ? 0 : actorKind === 'agent' ? 1 : 2)

/** Something happened to it in the range; an agent is there until it is removed. */
function isIn(track: StreamTrack, { table }: LogIndex, from: number, to: number): boolean {
  const last = track.lastUpTo(to)
  return last >= from || (track.actorKind === 'agent' && last > 0 && table.status(last) !== 'absent')
}

function lane(
  { table }: LogIndex,
  { name, actorKind, positions }: StreamTrack,
  { from, to, columns }: TimelineRange,
  columnOf: (position: number) => number,
): Lane {
  const cells: string[] = Array.from({ length: columns }, () => '')
  const marks = new Map<string, [column: number, kind: MarkKind, count: number, position: number]>()
  const paint = (first: number, end: number, status: string) => {
    for (let column = first; column < Math.max(end, first + 1); column++) {
      if (weightOfStatus(status) >= weightOfStatus(cells[column] ?? '')) cells[column] = status
    }
  }
  let at = positions.countUpTo(from - 1)
  let status = at === 0 ? '' : table.status(positions.at(at - 1))
  let since = 0
  for (; at < positions.length && positions.at(at) <= to; at++) {
    const position = positions.at(at)
    const column = columnOf(position)
    const kind = markOf(table.type(position))
    if (kind) {
      const key = `${column} ${kind}`
      const mark = marks.get(key)
      if (mark) mark[2]++
      else marks.set(key, [column, kind, 1, position])
    }
    const next = table.status(position)
    if (next === status) continue
    if (status !== '') paint(since, column, status)
    status = next
    since = column
  }
  if (status !== '') paint(since, columns, status)
  return { stream: name, kind: actorKind, spans: spans(cells), marks: [...marks.values()] }
}

function spans(cells: readonly string[]): Lane['spans'] {
  const found: [number, number, string, ReturnType<typeof toneOfStatus>][] = []
  cells.forEach((status, column) => {
    const last = found.at(-1)
    if (last && last[2] === status && last[1] === column) last[1]++
    else if (status !== '') found.push([column, column + 1, status, toneOfStatus(status)])
  })
  return found
}

/** How much was written when, and how much of that went wrong. */
export function overview(index: LogIndex, head: number, columns: number): OverviewView {
  const { table } = index
  const isBad = table.types.all.map((type) => toneOfType(type) === 'bad')
  const facts = Array.from({ length: columns }, () => 0)
  const problems = Array.from({ length: columns }, () => 0)
  for (let position = 1; position <= index.position; position++) {
    const column = Math.min(columns - 1, Math.floor(((position - 1) / head) * columns))
    facts[column] = (facts[column] ?? 0) + 1
    if (isBad[table.typeNumber(position)]) problems[column] = (problems[column] ?? 0) + 1
  }
  return { head, facts, problems, broken: index.broken.map(({ position }) => position) }
}
