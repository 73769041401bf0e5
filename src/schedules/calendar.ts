/**
 * The instants of a cron expression in a time zone. A fixed time of day that a change to summer time skips comes right after
 * the gap, and one that comes twice counts once; what repeats every few minutes runs through both hours, as in Vixie cron.
 */
import { Cron } from 'croner'
import { InvalidInputError } from '../events/errors/usage.ts'

export interface Calendar {
  /** The first instant after this one; null if there is none. All in ms since the epoch. */
  after(instant: number): number | null
  /** The last instants after one and up to another, in their order, at most so many. */
  last(most: number, after: number, upTo: number): readonly number[]
  /** How many come after an instant and before another: no more than `most`. */
  count(most: number, after: number, before: number): number
}

/** The zone of this machine. Throws InvalidInputError if TZ names none that is known, as with the path of a file. */
export function localTimezone(): string {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions() as { readonly timeZone?: string }
  if (timeZone !== undefined) return timeZone
  const problem = `that of this machine is not known (TZ is ${JSON.stringify(process.env.TZ)})`
  throw new InvalidInputError({ what: 'The time zone', problem, hint: NAME_A_ZONE })
}

const NAME_A_ZONE = 'Name it as in "Europe/Berlin", or UTC.'

/** Throws InvalidInputError for what is no cron expression, or no time zone. */
export function calendarOf(cron: string, timezone: string): Calendar {
  checkTimezone(timezone)
  const job = parsed(cron, timezone)
  const time = (date: Date | null) => date?.getTime() ?? null
  return {
    after: (instant) => time(job.nextRun(new Date(instant))),
    last(most, after, upTo) {
      const found: number[] = []
      // One at a time: each of them costs, and mostly there is one.
      const before = (instant: number) => time(job.previousRuns(1, new Date(instant))[0] ?? null)
      for (let at = before(upTo + 1); at !== null && at > after && found.length < most; at = before(at))
        found.unshift(at)
      return found
    },
    count(most, after, before) {
      let count = 0
      const next = (instant: number) => time(job.nextRun(new Date(instant)))
      for (let at = next(after); at !== null && at < before && count < most; at = next(at)) count += 1
      return count
    },
  }
}

function parsed(cron: string, timezone: string): Cron {
  const refuse = (problem: string, cause?: unknown) => {
    const hint =
      'As in "30 8 * * mon-fri": minute, hour, day of the month, month, day of the week. Or @daily.'
    return new InvalidInputError({ what: 'The cron expression', problem, hint }, { cause })
  }
  // A date would be taken as well, and comes once.
  if (!/^\s*(@\w+|\S+(\s+\S+){4,6})\s*$/.test(cron))
    throw refuse(`${JSON.stringify(cron)} has not five, six or seven fields`)
  try {
    return new Cron(cron.trim(), { timezone, paused: true, fixedTimeRule: 'no-wildcard' })
  } catch (cause) {
    const said = (cause as Error).message.replace(/^CronPattern: /, '').replace(/\.$/, '')
    throw refuse(`${JSON.stringify(cron)} cannot be used: ${said}`, cause)
  }
}

function checkTimezone(timezone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
  } catch (cause) {
    const problem = `there is no ${JSON.stringify(timezone)}`
    throw new InvalidInputError({ what: 'The time zone', problem, hint: NAME_A_ZONE }, { cause })
  }
}
