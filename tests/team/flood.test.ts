/** What one call may ask at a time, and in all. */
import { expect, test } from 'vitest'
import { countAsk, MOST_AT_ONCE, MOST_OF_A_CALL } from '../../src/team/flood.ts'

test('A call that floods is refused in words that say what to do instead', () => {
  const busy = { agent: 'busy', atOnce: 0, inAll: 0 }
  const some = Array.from({ length: MOST_AT_ONCE }, () => countAsk(busy))
  expect(() => countAsk(busy)).toThrow(/wait for 4 answers already/)
  for (const end of some) end()
  for (let at = MOST_AT_ONCE; at < MOST_OF_A_CALL; at++) countAsk(busy)()
  expect(() => countAsk(busy)).toThrow(/100 times/)
})
