/** When a limit of an account ends, by the words and the events of `claude`. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { limitOf, resetIn, windowsOf } from '../../../src/claude/stream/account-limit.ts'
import { streamParser } from '../../../src/claude/stream/parser.ts'

const at = (text: string) => Date.parse(text)
const NOON = at('2026-07-10T12:00:00Z')

describe('a text', () => {
  test.each([
    ["You've hit your session limit · resets 6:30pm (Europe/Vienna)", '2026-07-10T16:30:00Z'],
    ["You've hit your session limit · resets 6pm (America/New_York)", '2026-07-10T22:00:00Z'],
    // Said at noon UTC: 8 am was two hours ago in Vienna, so it is tomorrow's.
    ["You've hit your session limit · resets 8am (Europe/Vienna)", '2026-07-11T06:00:00Z'],
    ["You've hit your weekly limit · resets Jul 15 at 12am (UTC)", '2026-07-15T00:00:00Z'],
    ["You've hit your weekly limit · resets Jan 2, 9:05am (Asia/Tokyo)", '2027-01-02T00:05:00Z'],
    ['Your limit will reset at 3pm (UTC).', '2026-07-10T15:00:00Z'],
    ['resets Jul 15, 2027 at 12:30 PM (UTC)', '2027-07-15T12:30:00Z'],
    // Skipped: clocks are put forward from 2 to 3 am that night.
    ['resets Mar 14, 2027 at 2:30 AM (America/New_York)', '2027-03-14T07:30:00Z'],
    ['resets Mar 28, 2027 at 2:30 AM (Europe/Vienna)', '2027-03-28T01:30:00Z'],
    ['resets 18:30 (UTC)', '2026-07-10T18:30:00Z'],
    ['resets in 2h 15m', '2026-07-10T14:15:00Z'],
    ['Claude AI usage limit reached|1783692000', '2026-07-10T14:00:00Z'],
  ])('%s', (text, expected) => {
    const reset = resetIn(text, NOON)
    expect(reset === null ? null : new Date(reset).toISOString()).toBe(new Date(expected).toISOString())
  })

  test.each([
    "You've hit your session limit",
    "You've hit your monthly spend limit · raise it in settings",
    'resets 25pm (UTC)',
    'resets Foo 15 at 3pm (UTC)',
    'resets 3',
    'resets in a while',
    '',
  ])('that tells no time: %j', (text) => {
    expect(resetIn(text, NOON)).toBeNull()
  })

  test('that names no known zone is read in ours, and never throws', () => {
    expect(resetIn('resets 6pm (Middle/Earth)', NOON)).toBe(resetIn('resets 6pm', NOON))
  })

  test('with a time of day means its next occurrence, in any zone and at any time of year', () => {
    const zones = ['UTC', 'Europe/Vienna', 'America/New_York', 'Asia/Kolkata', 'Pacific/Auckland']
    fc.assert(
      fc.property(
        fc.integer({ min: at('2024-01-01'), max: at('2030-01-01') }),
        fc.constantFrom(...zones),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 59 }),
        fc.constantFrom('am', 'pm'),
        (now, timeZone, hour, minute, half) => {
          const time = `${hour}:${String(minute).padStart(2, '0')}`
          const reset = resetIn(`resets ${time}${half} (${timeZone})`, now) ?? 0
          expect(reset).toBeGreaterThan(now)
          // A day of 25 hours has one hour twice.
          expect(reset - now).toBeLessThanOrEqual(26 * 3_600_000)
          const clock = new Intl.DateTimeFormat('en-US', { timeZone, hour: 'numeric', minute: '2-digit' })
          const shown = (instant: number) => clock.format(instant).replace(/\s/g, ' ')
          const wanted = `${time} ${half.toUpperCase()}`
          if (shown(reset) === wanted) return
          // A clock that is put forward skips an hour, and the time with it: the next one is an hour later.
          expect(shown(reset)).toBe(wanted.replace(/^\d+/, String((hour % 12) + 1)))
          expect(shown(reset - 3_600_000)).not.toBe(wanted)
        },
      ),
    )
  })
})

const event = (info: object) => ({ type: 'rate_limit_event', rate_limit_info: info, session_id: 's' })
const RESETS = at('2026-07-10T17:00:00Z')

describe('a rate_limit_event', () => {
  test('tells a window: how far it is used, and when it resets', () => {
    const info = {
      status: 'allowed_warning',
      resetsAt: RESETS / 1000,
      rateLimitType: 'five_hour',
      utilization: 0.9,
    }
    const window = { name: 'five_hour', status: 'allowed_warning', utilization: 0.9, resetsAt: RESETS }
    expect(windowsOf(event(info))).toEqual([window])
    expect(streamParser((text) => text).read(JSON.stringify(event(info)))).toEqual([
      { type: 'account', windows: [window] },
    ])
  })

  test('tells all windows, by name or in a list', () => {
    const seven = { status: 'allowed', utilization: 0.2, resetsAt: RESETS / 1000 }
    const expected = [
      { name: 'five_hour', status: 'allowed', utilization: null, resetsAt: null },
      { name: 'seven_day', status: 'allowed', utilization: 0.2, resetsAt: RESETS },
    ]
    const five = { status: 'allowed', rateLimitType: 'five_hour' }
    expect(windowsOf(event({ ...five, unifiedWindows: { seven_day: seven } }))).toEqual(expected)
    const listed = [{ ...seven, rateLimitType: 'seven_day' }]
    expect(windowsOf(event({ ...five, unifiedWindows: listed }))).toEqual(expected)
  })

  test('of any shape is read without an exception, and never tells an instant that no date can hold', () => {
    fc.assert(
      fc.property(
        fc.object({
          key: fc.constantFrom('resetsAt', 'rateLimitType', 'utilization', 'unifiedWindows', 'x'),
        }),
        (info) => {
          for (const { resetsAt } of windowsOf(event(info)))
            if (resetsAt !== null) expect(() => new Date(resetsAt).toISOString()).not.toThrow()
        },
      ),
    )
  })

  test('of a full window decides before the text does; of two, the one that ends later', () => {
    const windows = windowsOf(
      event({
        ...{ status: 'rejected', resetsAt: RESETS / 1000, rateLimitType: 'five_hour' },
        unifiedWindows: { seven_day: { status: 'rejected', resetsAt: RESETS / 1000 + 60 } },
      }),
    )
    expect(limitOf(windows, 'resets 6:30pm (UTC)', NOON)).toEqual({
      window: 'seven_day',
      resetsAt: RESETS + 60_000,
    })
    expect(limitOf([], "You've hit your weekly limit · resets 6:30pm (UTC)", NOON)).toEqual({
      window: 'seven_day',
      resetsAt: at('2026-07-10T18:30:00Z'),
    })
    expect(limitOf([], "You've hit your weekly limit", NOON)).toBeNull()
  })
})
