/** The overview: what runs, what is held, what failed today, and what was spent by day. From the index, as of its end. */
import { instant } from '../clock.ts'
import type { Hold } from '../events/agent-facts.ts'
import type { EventStore } from '../store/event-store.ts'
import { accountsAt } from './actor.ts'
import { factLines } from './facts.ts'
import type { LogIndex } from './index/index.ts'
import { actorRow, isNamed, logView } from './index/moment.ts'
import { isEnded, toneOfStatus } from './index/tones.ts'
import type { StreamTrack } from './index/track.ts'
import { brief, unmarked } from './text.ts'
import type { ActorsPage, FailureLine, HeldLine, SummaryView, WorkLine } from './view.ts'

const LISTED = 50
const ENDED_RUNS = 8

/** `days`: the instants at which days begin, ascending; the last one is today's. */
export async function summary(
  store: EventStore,
  index: LogIndex,
  days: readonly number[],
): Promise<SummaryView> {
  const { tracks, table, position } = index
  const working = tracks.filter((track) => isAtWork(track, index)).sort((a, b) => b.last - a.last)
  const runs = tracks.filter(({ actorKind, last }) => actorKind === 'run' && isEnded(table.status(last)))
  const failures = failuresSince(index, days.at(-1) ?? 0)
  const upTo = [...days.map((ms) => table.countUpTo(ms - 1)), position]
  const betweenDays = (sum: (position: number) => number) =>
    upTo.slice(1).map((end, day) => sum(end) - sum(upTo[day] ?? 0))
  return {
    log: logView(index, store.storeId, await store.head()),
    working: working.slice(0, LISTED).map((track) => workLine(index, track)),
    moreWorking: Math.max(0, working.length - LISTED),
    held: tracks.flatMap((track) => heldBy(index, track)).slice(0, LISTED),
    failures: await failureLines(store, index, failures.slice(0, LISTED)),
    moreFailures: Math.max(0, failures.length - LISTED),
    spentUsd: betweenDays(table.spentUsd),
    answers: betweenDays(table.answers),
    accounts: await accountsAt(store, index, position),
    ended: runs
      .sort((a, b) => b.last - a.last)
      .slice(0, ENDED_RUNS)
      .map((track) => workLine(index, track)),
  }
}

const PAGE = 100

/** The runs or the agents, the newest first: those with a text in their name, and in one state if that is given. */
export function actorsPage(
  index: LogIndex,
  kind: string,
  text: string,
  status: string,
  offset: number,
): ActorsPage {
  const { table } = index
  const named = index.tracks.filter(
    (track) => track.actorKind === kind && (!track.isCopy || status === 'absent') && isNamed(track, text),
  )
  const counts: Record<string, number> = {}
  for (const { last } of named) counts[table.status(last)] = (counts[table.status(last)] ?? 0) + 1
  const found = named
    .filter(({ last }) => (status === '' ? table.status(last) !== 'absent' : table.status(last) === status))
    .sort((a, b) => b.last - a.last)
  return {
    total: found.length,
    counts,
    rows: found.slice(offset, offset + PAGE).map((track) => workLine(index, track)),
  }
}

/** A run that is executed, or an agent with a call. */
function isAtWork({ actorKind, last }: StreamTrack, { table }: LogIndex): boolean {
  const status = table.status(last)
  return actorKind === 'run' ? status === 'running' : actorKind === 'agent' && /^(busy|retry)$/.test(status)
}

/** An agent's busy time is looked for in so many of its newest facts. */
const FACTS_LOOKED_AT = 200

function workLine(index: LogIndex, track: StreamTrack): WorkLine {
  const { table } = index
  const { positions, last, actorKind } = track
  const status = table.status(last)
  let first = positions.length - 1
  if (actorKind === 'run') first = 0
  else
    while (
      first > 0 &&
      positions.length - first < FACTS_LOOKED_AT &&
      table.status(positions.at(first - 1)) === status
    )
      first--
  return {
    ...actorRow(index, track, last),
    since: instant(table.time(positions.at(first))),
    endedAt: isEnded(status) ? instant(table.time(endOf(index, track))) : null,
  }
}

/** The position at which a run reached its state: what its calls had cost may be recorded later. */
function endOf({ table }: LogIndex, { positions, last }: StreamTrack): number {
  const status = table.status(last)
  let at = positions.length - 1
  while (at > 0 && table.status(positions.at(at - 1)) === status) at--
  return positions.at(at)
}

function heldBy(
  { table }: LogIndex,
  { name, id, label, actorKind, last, queue }: StreamTrack,
): readonly HeldLine[] {
  if (actorKind !== 'agent' || table.status(last) === 'absent') return []
  return queue.flatMap(({ taskId, hold, prompt }) => {
    const { reason, note } = (hold ?? {}) as Partial<Extract<Hold, { reason: 'approval' }>>
    if (reason === undefined) return []
    const asked = typeof prompt === 'string' ? unmarked(prompt, 200) : ''
    return [{ stream: name, id, label, taskId, reason, note: brief(note ?? ''), asked }]
  })
}

const FAILURES = new Set(['RunFailed', 'TaskFailed', 'Escalated'])

/** The positions of what failed since an instant, the newest first. What was tried again is not among them. */
function failuresSince({ table, position }: LogIndex, ms: number): readonly number[] {
  const isFailure = table.types.all.map((type) => FAILURES.has(type))
  // A task of a run failed together with its step, and the run tells of it.
  const isOfRun = (at: number) => table.type(at) === 'TaskFailed' && table.type(at + 1) === 'StepFailed'
  const found: number[] = []
  for (let at = position; at > table.countUpTo(ms - 1); at--)
    if (isFailure[table.typeNumber(at)] && !isOfRun(at)) found.push(at)
  return found
}

async function failureLines(
  store: EventStore,
  index: LogIndex,
  positions: readonly number[],
): Promise<readonly FailureLine[]> {
  const lines = await factLines(store, index, [...positions].reverse())
  return [...lines].reverse().map((line) => {
    const status = index.table.status(index.trackAt(line.position)?.last ?? 0)
    return { ...line, now: status, nowTone: toneOfStatus(status) }
  })
}
