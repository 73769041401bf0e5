/** The log as lanes: the states of each actor and what happened to it, with one column per pixel. */
import type { Lane, MarkKind, OverviewView, TimelineView } from '../view.ts'
import type { LogIndex } from './index.ts'
import { isNamed } from './moment.ts'
import { isEnded, markOf, toneOfStatus, toneOfType, weightOfStatus } from './tones.ts'
import type { StreamTrack } from './track.ts'

export interface TimelineRange {
  readonly from: number
  readonly to: number
  readonly axis: 'order' | 'time'
  readonly columns: number
  /** Only actors with this in their name or label have a lane. */
  readonly text: string
  /** Only this actor has a lane, and those that it works with; all if it is empty. */
  readonly stream: string
  /** Whether copies of agents have a lane that were removed by the end of the range. */
  readonly withRemoved: boolean
  /** The number of lanes to return, from `firstLane`. */
  readonly lanes: number
  readonly firstLane: number
}

export function timeline(index: LogIndex, range: TimelineRange): TimelineView {
  const { from, to, axis, columns, text, stream, lanes, firstLane, withRemoved } = range
  const fromMs = index.table.time(from)
  const toMs = Math.max(index.table.time(to), fromMs + 1)
  const columnOf =
    axis === 'time'
      ? (position: number) => ((index.table.time(position) - fromMs) / (toMs - fromMs)) * columns
      : (position: number) => ((position - from) / (to - from + 1)) * columns
  const chosen = index.track(stream)
  const found = index.tracks.filter(
    (track) =>
      isNamed(track, text) &&
      (stream === '' || isRelated(track, chosen)) &&
      isInRange(track, index, from, to),
  )
  const tracks = (withRemoved ? found : found.filter((track) => !isRemovedCopy(track, index, to))).sort(
    (a, b) => order(a) - order(b) || a.number - b.number,
  )
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
    statuses: index.table.statuses.all.map((name) => ({ name, tone: toneOfStatus(name) })),
    moreLanes: Math.max(0, tracks.length - firstLane - lanes),
    removedLanes: found.length - tracks.length,
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

const isRelated = (track: StreamTrack, chosen: StreamTrack | undefined): boolean =>
  track === chosen || track.workers.has(chosen?.name ?? '') || (chosen?.workers.has(track.name) ?? false)

const isRemovedCopy = (track: StreamTrack, { table }: LogIndex, at: number): boolean =>
  track.isCopy && table.status(track.lastUpTo(at)) === 'absent'

/** Whether an actor has a fact in the range, or is an agent that exists at its end. */
function isInRange(track: StreamTrack, { table }: LogIndex, from: number, to: number): boolean {
  const last = track.lastUpTo(to)
  return last >= from || (track.actorKind === 'agent' && last > 0 && table.status(last) !== 'absent')
}

/** A lane with more facts per column than this is crowded: its spans and its marks cover several columns each. */
const CROWDED_FROM = 0.25
const COLUMNS_PER_CELL = 3
const COLUMNS_PER_MARK = 3
/** A run's bar ends where the run did, in the colour of how it ended. */
const ENDING_COLUMNS = 4

function lane(
  { table }: LogIndex,
  { name, actorKind, label, asked, positions }: StreamTrack,
  { from, to, columns }: TimelineRange,
  columnOf: (position: number) => number,
): Lane {
  const first = positions.countUpTo(from - 1)
  const end = positions.countUpTo(to)
  const crowded = end - first > columns * CROWDED_FROM
  const cells = new Cells(table.statuses.all, columns, crowded ? COLUMNS_PER_CELL : 1)
  const marks = new Marks(crowded)
  let status = first === 0 ? 0 : table.statusNumber(positions.at(first - 1))
  // A run that ended before the range has nothing in it.
  let since = -ENDING_COLUMNS
  const paintUntil = (column: number) => {
    const isOver = actorKind === 'run' && isEnded(table.statuses.nameOf(status))
    const end = isOver ? Math.min(column, since + ENDING_COLUMNS) : column
    if (end > 0) cells.paint(Math.max(0, since), end, status)
  }
  for (let at = first; at < end; at++) {
    const position = positions.at(at)
    const column = columnOf(position)
    marks.add(markOf(table.type(position)), column)
    const next = table.statusNumber(position)
    if (next === status) continue
    paintUntil(column)
    status = next
    since = column
  }
  paintUntil(columns)
  return { stream: name, kind: actorKind, label, asked, crowded, spans: cells.spans(), ...marks.view() }
}

/** A lane's cells. Where several states fall on one, the one that needs most attention wins. */
class Cells {
  readonly #cells: Uint16Array
  readonly #weights: readonly number[]
  readonly #columns: number
  /** Columns per cell. */
  readonly #width: number

  constructor(statuses: readonly string[], columns: number, width: number) {
    this.#weights = statuses.map(weightOfStatus)
    this.#columns = columns
    this.#width = width
    this.#cells = new Uint16Array(Math.ceil(columns / width))
  }

  /** Paints at least one cell, so that short states are visible as well. */
  paint(from: number, to: number, status: number): void {
    const first = Math.floor(from / this.#width)
    const end = Math.max(first + 1, Math.ceil(to / this.#width))
    const weight = this.#weights[status] ?? 0
    for (let cell = first; cell < end && cell < this.#cells.length; cell++) {
      if (weight >= (this.#weights[this.#cells[cell] ?? 0] ?? 0)) this.#cells[cell] = status
    }
  }

  spans(): Lane['spans'] {
    const found: [number, number, number][] = []
    this.#cells.forEach((status, cell) => {
      const [from, to] = [cell * this.#width, Math.min(this.#columns, (cell + 1) * this.#width)]
      const last = found.at(-1)
      if (last?.[2] === status && last[1] === from) last[1] = to
      else if (status !== 0) found.push([from, to, status])
    })
    return found
  }
}

/** A lane's marks. A crowded lane has marks for failures only. */
class Marks {
  readonly #crowded: boolean
  readonly #columns: Partial<Record<MarkKind, Set<number>>> = {}
  readonly #counts: Partial<Record<MarkKind, number>> = {}

  constructor(crowded: boolean) {
    this.#crowded = crowded
  }

  add(kind: MarkKind | null, column: number): void {
    if (kind === null) return
    this.#counts[kind] = (this.#counts[kind] ?? 0) + 1
    if (this.#crowded && kind !== 'failure') return
    this.#columns[kind] ??= new Set()
    this.#columns[kind].add(
      this.#crowded ? Math.floor(column / COLUMNS_PER_MARK) * COLUMNS_PER_MARK + 1 : column,
    )
  }

  view(): Pick<Lane, 'marks' | 'counts'> {
    const marks = Object.entries(this.#columns).map(([kind, columns]) => [kind, [...columns]] as const)
    return { marks: Object.fromEntries(marks), counts: this.#counts }
  }
}

/** Write activity over the whole log: facts per column, and how many of them report a problem. */
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
