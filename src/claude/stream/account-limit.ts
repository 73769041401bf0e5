/** What `claude` says about the limits of an account: how far a window is used, and when it resets. */
import { LAST_INSTANT } from '../../clock.ts'
import type { AccountWindow } from '../runner.ts'
import {
  asRecord,
  label,
  labelAt,
  numberAt,
  recordAt,
  recordsAt,
  type UntrustedRecord,
} from './untrusted-json.ts'

/** More windows than any account has. */
export const MOST_WINDOWS = 20

/** The windows in a `rate_limit_event`, each once; the one that the event is about comes first. */
export function windowsOf(event: UntrustedRecord): readonly AccountWindow[] {
  const info = recordAt(event, 'rate_limit_info')
  const unified = recordAt(info, 'unifiedWindows')
  const all = [
    windowOf(info, null),
    ...Object.entries(unified ?? {})
      .slice(0, MOST_WINDOWS)
      .map(([name, window]) => windowOf(asRecord(window), name)),
    ...recordsAt(info, 'unifiedWindows')
      .slice(0, MOST_WINDOWS)
      .map((window) => windowOf(window, null)),
  ]
  const windows = new Map<string, AccountWindow>()
  for (const window of all) if (window && !windows.has(window.name)) windows.set(window.name, window)
  return [...windows.values()]
}

function windowOf(record: UntrustedRecord | null, key: string | null): AccountWindow | null {
  const name =
    labelAt(record, 'rateLimitType') ?? labelAt(record, 'name') ?? (key === null ? null : label(key))
  if (name === null) return null
  const used = numberAt(record, 'utilization')
  return {
    name,
    status: labelAt(record, 'status') ?? 'unknown',
    // Seen as a fraction; a service that counts in percent would say more than any account can use.
    utilization: used === null ? null : used > 2 ? used / 100 : used,
    resetsAt: instantAt(record, 'resetsAt') ?? instantAt(record, 'resets_at'),
  }
}

/** Seconds since the epoch, by the contract; milliseconds and ISO 8601 are understood as well. */
function instantAt(record: UntrustedRecord | null, key: string): number | null {
  const number = numberAt(record, key)
  const at = number === null ? Date.parse(labelAt(record, key) ?? '') : number > 1e11 ? number : number * 1000
  return at > 0 && at <= LAST_INSTANT ? Math.round(at) : null
}

/** What is known of an account's windows once more was said about some of them. */
export const withNews = (
  known: readonly AccountWindow[],
  news: readonly AccountWindow[],
): readonly AccountWindow[] =>
  [...news, ...known.filter(({ name }) => news.every((window) => window.name !== name))].slice(
    0,
    MOST_WINDOWS,
  )

/** A limit that ends at a known time. */
export interface AccountLimit {
  readonly window: string
  /** In ms since the epoch. */
  readonly resetsAt: number
}

/** The limit that a window's event or the text of an error tells; null if neither says when it ends. */
export function limitOf(
  windows: readonly AccountWindow[],
  text: string,
  saidAt: number,
): AccountLimit | null {
  const rejected = windows.filter(({ status, resetsAt }) => status === 'rejected' && resetsAt !== null)
  // Of two full windows, the one that ends later keeps the account waiting.
  const [last] = rejected.toSorted((one, other) => (other.resetsAt ?? 0) - (one.resetsAt ?? 0))
  if (last?.resetsAt) return { window: last.name, resetsAt: last.resetsAt }
  const resetsAt = resetIn(text, saidAt)
  return resetsAt === null ? null : { window: windowIn(text), resetsAt }
}

/** `You've hit your weekly limit`: the words of the CLI for each window. */
const WORDS: readonly (readonly [word: RegExp, window: string])[] = [
  [/\bopus\b/i, 'seven_day_opus'],
  [/\bsonnet\b/i, 'seven_day_sonnet'],
  [/\bweekly\b/i, 'seven_day'],
  [/\b(session|5-hour|five-hour)\b/i, 'five_hour'],
]

const windowIn = (text: string) =>
  WORDS.find(([word]) => word.test(text.slice(0, LONGEST_TEXT)))?.[1] ?? 'usage'

/** The texts are short; what follows is not ours to search. */
const LONGEST_TEXT = 500
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')

const RESET =
  /\bresets? (?:on )?(?:([a-z]{3})[a-z]{0,6}\.? (\d{1,2}),? ?(?:(\d{4}),? )?)?(?:at )?(\d{1,2})(?::(\d{2}))?(?: ?([ap])\.?m\.?)?(?: ?\(([A-Za-z0-9_+/-]{1,64})\))?/i
const RESET_IN = /\bresets? in (?:(\d{1,3}) ?d[a-z]*,? ?)?(?:(\d{1,3}) ?h[a-z]*,? ?)?(?:(\d{1,4}) ?m[a-z]*)?/i
const RESET_EPOCH = /\|(\d{10})\b/

/**
 * When a limit ends, by a text such as `resets 6:30pm (Europe/Vienna)` or `resets Jul 15 at 12am (UTC)`; null if it does
 * not say. A time without a date is the next one after the text was said.
 */
export function resetIn(text: string, saidAt: number): number | null {
  const said = text.slice(0, LONGEST_TEXT)
  const [, epoch] = RESET_EPOCH.exec(said) ?? []
  if (epoch !== undefined) return Number(epoch) * 1000
  const found = RESET.exec(said)
  if (found) return instantOf(found, saidAt)
  const [, days, hours, minutes] = RESET_IN.exec(said) ?? []
  if (days === undefined && hours === undefined && minutes === undefined) return null
  return saidAt + Number(days ?? 0) * DAY_MS + (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * MINUTE_MS
}

function instantOf(found: RegExpExecArray, saidAt: number): number | null {
  const [, monthName = '', day, year, hours, minutes, half, zone] = found
  // A bare number may be anything.
  if (half === undefined && minutes === undefined) return null
  const hour = hourOf(Number(hours), half)
  const minute = Number(minutes ?? 0)
  if (hour === null || minute > 59) return null
  const today = localTime(saidAt, zone)
  if (monthName === '') {
    const at = atLocalTime({ ...today, hour, minute }, zone)
    // Summer time may move it, so the next day's is not simply a day later.
    return at > saidAt ? at : atLocalTime({ ...today, day: today.day + 1, hour, minute }, zone)
  }
  const month = MONTHS.indexOf(monthName.toLowerCase()) + 1
  if (month === 0) return null
  const on = (inYear: number) => atLocalTime({ year: inYear, month, day: Number(day), hour, minute }, zone)
  if (year !== undefined) return on(Number(year))
  // Said in December about January. A date of the last days has passed, and is not a year away.
  return on(today.year) > saidAt - 180 * DAY_MS ? on(today.year) : on(today.year + 1)
}

/** From 0 to 23, of a clock with 12 hours (`p` after noon) or with 24. */
function hourOf(hours: number, half: string | undefined): number | null {
  if (half === undefined) return hours < 24 ? hours : null
  return hours < 1 || hours > 12 ? null : (hours % 12) + (half.toLowerCase() === 'p' ? 12 : 0)
}

interface LocalTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
}

/** The time that a clock in the zone shows; in ours, if there is no such zone. */
function localTime(at: number, zone: string | undefined): LocalTime {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  )
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0
  return {
    ...{ year: part('year'), month: part('month'), day: part('day') },
    ...{ hour: part('hour'), minute: part('minute') },
  }
}

function formatOf(timeZone: string | undefined): Intl.DateTimeFormat {
  const parts = {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  } as const
  const options = { ...parts, hourCycle: 'h23', calendar: 'gregory', numberingSystem: 'latn' } as const
  try {
    return new Intl.DateTimeFormat('en', timeZone === undefined ? options : { ...options, timeZone })
  } catch {
    return new Intl.DateTimeFormat('en', options)
  }
}

/** When a clock in the zone shows this time; an hour later if that is in an hour that it skips. */
function atLocalTime(wanted: LocalTime, zone: string | undefined): number {
  const utc = utcOf(wanted)
  const shownAt = (instant: number) => utcOf(localTime(instant, zone))
  // An offset is a matter of the instant, which is what is looked for: the second look corrects the first.
  const first = utc - (shownAt(utc) - utc)
  const second = utc - (shownAt(first) - first)
  return shownAt(second) === utc ? second : Math.max(first, second)
}

const utcOf = ({ year, month, day, hour, minute }: LocalTime) => Date.UTC(year, month - 1, day, hour, minute)
