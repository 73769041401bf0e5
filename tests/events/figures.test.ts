/** Money, durations and counts are formatted for people. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ago, dollars, duration, plural } from '../../src/events/figures.ts'

test('dollars are rounded to the cent, or to four decimals, with a leading sign', () => {
  expect([0, 2.5, 0.00432, -0.0033, 0.00003].map(dollars)).toEqual([
    '$0.00',
    '$2.50',
    '$0.0043',
    '-$0.0033',
    '$0.00003',
  ])
})

test('durations are in seconds below a minute, clock times below a day, and days and hours above', () => {
  expect([0, 400, 9_960, 59_999, 185_000, 7_385_000, 86_399_999, 266_400_000].map(duration)).toEqual([
    ...['0.0 s', '0.4 s', '10.0 s', '59 s'],
    ...['3:05', '2:03:05', '23:59:59', '3 d 2 h'],
  ])
  fc.assert(
    fc.property(fc.integer({ min: 60_000, max: 8_640_000_000 }), (ms) => {
      expect(duration(ms)).not.toMatch(/:60|\b24 h|:\d\b/)
    }),
  )
})

test('counts distinguish singular and plural', () => {
  expect([plural(1, 'fact'), plural(2, 'fact'), plural(0, 'body', 'bodies')]).toEqual([
    '1 fact',
    '2 facts',
    '0 bodies',
  ])
})

test('how long ago something was is told in its largest unit', () => {
  expect([-5, 0, 1000, 59_999, 60_000, 3_599_999, 7_200_000, 86_400_000, 8_640_000_000].map(ago)).toEqual([
    ...['now', 'now', '1 s ago', '59 s ago', '1 min ago', '59 min ago', '2 h ago', '1 d ago', '100 d ago'],
  ])
})
