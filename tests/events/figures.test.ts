/** Amounts as people read them. */
import { expect, test } from 'vitest'
import { dollars, duration, plural } from '../../src/events/figures.ts'

test('Dollars have four decimals and their sign in front', () => {
  expect([0, 2.5, 0.00432, -0.0033].map(dollars)).toEqual(['$0.00', '$2.50', '$0.0043', '-$0.0033'])
})

test('Durations are seconds below a minute, and a clock above', () => {
  expect([0, 400, 9_960, 59_999, 185_000, 7_385_000].map(duration)).toEqual([
    ...['0.0 s', '0.4 s', '10.0 s', '59 s'],
    ...['3:05', '2:03:05'],
  ])
})

test('Counts have a singular', () => {
  expect([plural(1, 'fact'), plural(2, 'fact'), plural(0, 'body', 'bodies')]).toEqual([
    '1 fact',
    '2 facts',
    '0 bodies',
  ])
})
