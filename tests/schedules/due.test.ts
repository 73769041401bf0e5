/** What becomes of the instants of a schedule: laws of the decision, and changes to and from summer time. */
import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { InvalidInputError } from '../../src/events/errors/usage.ts'
import { calendarOf } from '../../src/schedules/calendar.ts'
import { dueFacts, MOST_MADE_UP, nextInstant } from '../../src/schedules/due.ts'
import { MISSED, type Missed, type ScheduleFact } from '../../src/schedules/facts.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const cron = fc.constantFrom(
  ...['*/30 * * * *', '0 * * * *', '30 2 * * *', '0 2,14 * * *', '15 1-3 * * sun', '@daily', '0 0 L * *'],
)
const timezone = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
)
/** A day within a week of a change to or from summer time. */
const start = fc
  .tuple(
    fc.constantFrom('2026-03-29', '2026-10-25', '2026-04-05', '2026-11-01', '2026-06-30'),
    fc.integer({ min: -7 * 24, max: 24 }),
  )
  .map(([day, hours]) => Date.parse(`${day}T00:00Z`) + hours * HOUR_MS)
/** When a process looks, as times after the last look: it may have been away for days. */
const looks = fc.array(
  // Some come at an instant itself.
  fc.oneof(
    fc.constantFrom(HOUR_MS, 3 * HOUR_MS),
    fc.integer({ min: 1, max: MINUTE_MS }),
    fc.integer({ min: MINUTE_MS, max: 12 * HOUR_MS }),
  ),
  {
    minLength: 1,
    maxLength: 6,
  },
)

interface Life {
  readonly fired: number[]
  /** Each stretch that was missed: from, to, and how many. */
  readonly missed: (readonly [from: number, to: number, count: number])[]
}

/** What a schedule does at these times. */
function lived(
  expression: string,
  zone: string,
  missed: Missed,
  from: number,
  waits: readonly number[],
): Life {
  let state = {
    ...{ cron: expression, timezone: zone, missed, decidedAt: null as string | null },
    nextAt: nextInstant(calendarOf(expression, zone), from),
  }
  const life: Life = { fired: [], missed: [] }
  let now = from
  const apply = ({ type, data }: ScheduleFact) => {
    if (type === 'FiringAnnounced') {
      life.fired.push(Date.parse(data.at))
      state = { ...state, decidedAt: data.at, nextAt: data.nextAt ?? null }
    } else if (type === 'FiringsMissed') {
      life.missed.push([Date.parse(data.from), Date.parse(data.to), data.count])
      state = { ...state, decidedAt: data.to, nextAt: data.nextAt }
    } else if (type === 'FiringMoved') state = { ...state, nextAt: data.nextAt }
  }
  for (const wait of waits) {
    now += wait
    for (const fact of dueFacts('s', state, now)) apply(fact)
  }
  return life
}

/** Every instant of an expression, counted one by one. */
function instants(expression: string, zone: string, from: number, upTo: number): readonly number[] {
  const calendar = calendarOf(expression, zone)
  const found: number[] = []
  for (let at = calendar.after(from); at !== null && at <= upTo; at = calendar.after(at)) found.push(at)
  return found
}

test('each instant is decided once: it fires, or it is missed, whenever a process looks', () => {
  fc.assert(
    fc.property(
      cron,
      timezone,
      fc.constantFrom(...MISSED),
      start,
      looks,
      (expression, zone, missed, from, waits) => {
        const upTo = from + waits.reduce((sum, wait) => sum + wait, 0)
        const { fired, missed: stretches } = lived(expression, zone, missed, from, waits)
        const passedOver = stretches.flatMap(([first, last]) => [
          first,
          ...instants(expression, zone, first, last),
        ])
        const decided = [...fired, ...passedOver].sort((one, other) => one - other)
        expect(decided).toEqual(instants(expression, zone, from, upTo))
        for (const [first, last, count] of stretches)
          expect(count).toBe(Math.min(1000, 1 + instants(expression, zone, first, last).length))
      },
    ),
    { numRuns: 60 },
  )
})

test('of what was missed, one fires, none or all, as the schedule says, and no more than 100', () => {
  fc.assert(
    fc.property(
      cron,
      timezone,
      start,
      fc.integer({ min: 2 * MINUTE_MS, max: 4 * 24 * HOUR_MS }),
      (expression, zone, from, away) => {
        const all = instants(expression, zone, from, from + away)
        const isLate = (all.at(-1) ?? 0) < from + away - MINUTE_MS
        const firesOf = (missed: Missed) => lived(expression, zone, missed, from, [away]).fired
        expect(firesOf('once')).toEqual(all.slice(-1))
        expect(firesOf('skip')).toEqual(isLate ? [] : all.slice(-1))
        expect(firesOf('all')).toEqual(all.slice(-MOST_MADE_UP))
      },
    ),
    { numRuns: 30 },
  )
})

test('what comes costs no more than the instants that it is decided from', () => {
  const conversions = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts')
  onTestFinished(() => conversions.mockRestore())
  const cost = (work: () => unknown) => {
    conversions.mockClear()
    work()
    return conversions.mock.calls.length
  }
  const timing = { cron: '@hourly', timezone: 'Europe/Berlin', decidedAt: null }
  const first = Date.parse('2026-01-01T00:00Z')
  const nextAt = new Date(first).toISOString()
  const one = cost(() => calendarOf(timing.cron, timing.timezone).after(first))
  expect(one).toBeGreaterThan(0)
  for (const missed of MISSED)
    for (const hours of [0, 2, 8]) {
      const now = first + hours * HOUR_MS
      expect(
        cost(() => dueFacts('s', { ...timing, missed, nextAt }, now)),
        missed,
      ).toBeLessThan(one * (4 * hours + 8))
    }
})

describe('A change to or from summer time', () => {
  const berlin = (expression: string, from: string, upTo: string) =>
    instants(expression, 'Europe/Berlin', Date.parse(from), Date.parse(upTo)).map((at) =>
      new Date(at).toISOString().slice(0, 16),
    )

  test('lets a time that it skips come right after the gap, once', () => {
    for (const expression of ['30 2 * * *', '30 2,14 * * mon,sat,sun'])
      expect(berlin(expression, '2026-03-28T12:00Z', '2026-03-30T01:00Z')).toEqual(
        expression === '30 2 * * *'
          ? ['2026-03-29T01:00', '2026-03-30T00:30']
          : ['2026-03-28T13:30', '2026-03-29T01:00', '2026-03-29T12:30', '2026-03-30T00:30'],
      )
  })

  test('lets a time that comes twice count once', () => {
    expect(berlin('30 2 * * *', '2026-10-24T12:00Z', '2026-10-26T02:00Z')).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ])
  })

  test('leaves what repeats within the hour as it is: it runs through both hours', () => {
    const spring = berlin('*/30 * * * *', '2026-03-29T00:00Z', '2026-03-29T02:00Z')
    expect(spring).toEqual(['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30', '2026-03-29T02:00'])
    const autumn = berlin('*/30 * * * *', '2026-10-25T00:00Z', '2026-10-25T02:00Z')
    expect(autumn).toEqual(['2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'])
  })
})

test('a clock that is set back makes no instant come again, and freezes nothing', () => {
  const at = (time: string) => Date.parse(`${time}:00.000Z`)
  const state = (nextAt: string, decidedAt: string) => ({
    ...{ cron: '0 3 * * *', timezone: 'UTC', missed: 'once' as const },
    ...{ nextAt: new Date(at(nextAt)).toISOString(), decidedAt: new Date(at(decidedAt)).toISOString() },
  })
  // By an hour, right after it has fired.
  expect(dueFacts('s', state('2026-01-02T03:00', '2026-01-01T03:00'), at('2026-01-01T02:00'))).toEqual([])
  // It was ten years ahead.
  expect(dueFacts('s', state('2036-01-02T03:00', '2036-01-01T03:00'), at('2026-01-01T02:00'))).toEqual([
    { type: 'FiringMoved', data: { nextAt: '2026-01-01T03:00:00.000Z' } },
  ])
})

test('what is no cron expression, or no time zone, is refused with how to write one', () => {
  const refused = [
    '',
    '* * * *',
    '61 * * * *',
    '2030-01-01T00:00:00',
    '@reboot',
    'x',
    '5/5 * * * *',
    '0 0 1 1 * 2020',
  ]
  for (const expression of refused)
    expect(() => calendarOf(expression, 'UTC'), expression).toThrow(InvalidInputError)
  for (const zone of ['', 'Mars/X']) expect(() => calendarOf('@daily', zone), zone).toThrow(InvalidInputError)
  for (const expression of ['@daily', '0 0 L * *', '*/10 * * * * *', '0 0 1 * mon'])
    expect(calendarOf(expression, 'Europe/Berlin').after(0), expression).toBeGreaterThan(0)
})
