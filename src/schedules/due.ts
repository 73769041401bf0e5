/** What becomes of the instants that have come: a function of the schedule's state and the time. */
import { instant } from '../clock.ts'
import { type Calendar, calendarOf } from './calendar.ts'
import type { ScheduleFact } from './facts.ts'
import type { ScheduleContext } from './machine.ts'

/** An instant is on time for this long: a machine may be busy, and an owner be restarted. */
const ON_TIME_MS = 60_000
/** How many of the firings that were missed are made up for. */
export const MOST_MADE_UP = 100
/** How far those are counted that are not. */
const MOST_COUNTED = 1000
/** A clock that is set back by less does not make the same instants come again. */
const SET_BACK_MS = 86_400_000

type Timing = Pick<ScheduleContext, 'cron' | 'timezone' | 'missed' | 'nextAt' | 'decidedAt'>

/** When a schedule fires next. */
export function nextInstant(calendar: Calendar, now: number, decidedAt: string | null = null): string | null {
  const decided = decidedAt === null ? now : Date.parse(decidedAt)
  const next = calendar.after(decided > now && decided - now <= SET_BACK_MS ? decided : now)
  return next === null ? null : instant(next)
}

/** The facts that are due; none while the next instant has not come. */
export function dueFacts(name: string, timing: Timing, now: number): readonly ScheduleFact[] {
  const { cron, timezone, missed, nextAt, decidedAt } = timing
  if (nextAt === null) return []
  const calendar = calendarOf(cron, timezone)
  const first = Date.parse(nextAt)
  if (now < first) {
    const moved = nextInstant(calendar, now, decidedAt)
    return moved === nextAt ? [] : [{ type: 'FiringMoved', data: { nextAt: moved } }]
  }
  // Those after the first, and the first itself, which the rules of the time zone may no longer have.
  const most = missed === 'all' ? MOST_MADE_UP : 1
  const later = calendar.last(most, first, now)
  const come = later.length < most ? [first, ...later] : later
  const latest = come.at(-1) ?? first
  const isOnTime = now - latest <= ON_TIME_MS
  const fired = missed === 'all' ? come : missed === 'once' || isOnTime ? [latest] : []
  const next = nextInstant(calendar, now)
  return [
    ...missedFacts(calendar, first, fired[0] ?? null, latest, next),
    ...fired.map((at): ScheduleFact => {
      const data = { id: firingId(name, at), at: instant(at), nextAt: next }
      return { type: 'FiringAnnounced', data }
    }),
  ]
}

/** Those from the first one up to the first that fires, or up to the latest if none does. */
function missedFacts(
  calendar: Calendar,
  first: number,
  fires: number | null,
  latest: number,
  nextAt: string | null,
): readonly ScheduleFact[] {
  if (fires === first) return []
  const end = fires ?? latest + 1
  const to = calendar.last(1, first, end - 1)[0] ?? first
  const count = 1 + calendar.count(MOST_COUNTED - 1, first, end)
  return [{ type: 'FiringsMissed', data: { from: instant(first), to: instant(to), count, nextAt } }]
}

/** The id of the task or the run that an instant leads to: `nightly-20260131t083000z`. */
export const firingId = (name: string, at: number): string =>
  `${name}-${instant(at)
    .replace(/\.000Z$|[-:.]/g, (part) => (part === '.000Z' ? 'z' : ''))
    .toLowerCase()}`
