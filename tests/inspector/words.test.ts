/** Figures as the page writes them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { timeSpan } from '../../src/inspector/page/parts/words.ts'

test('a duration never has 60 seconds beside its minutes, nor 60 minutes beside its hours', () => {
  expect([timeSpan(119_600), timeSpan(7_199_000)]).toEqual(['1 min 59 s', '1 h 59 min'])
  fc.assert(
    fc.property(fc.integer({ min: 60_000, max: 86_399_999 }), (ms) => {
      expect(timeSpan(ms)).not.toContain(' 60 ')
    }),
  )
})
