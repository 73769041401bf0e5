/** Calls that wait for the answers of other agents: whatever they ask, one that works has a place. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AskingPlaces, MOST_AT_ONCE, MOST_OF_A_CALL } from '../../src/team/places.ts'

const callOf = (agent: string) => ({ agent, atOnce: 0, inAll: 0 })

describe('Calls that ask other agents', () => {
  test('leave a place to one that works, however many ask and are answered, and whatever the limit becomes', () => {
    const step = fc.record({
      call: fc.nat(5),
      answers: fc.boolean(),
      room: fc.integer({ min: 1, max: 5 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        let room = 1
        const places = new AskingPlaces(() => room)
        const calls = Array.from({ length: 6 }, (_, at) => callOf(`agent-${at}`))
        const open: { readonly call: number; readonly end: () => void }[] = []
        for (const { call: at, answers, room: now } of steps) {
          room = now
          if (answers) open.splice(0, 1)[0]?.end()
          const call = calls[at] ?? callOf('none')
          try {
            open.push({ call: at, end: places.take(call) })
          } catch {
            continue
          }
          expect(new Set(open.map(({ call: waiting }) => waiting)).size).toBeLessThan(room)
          expect(call.atOnce).toBe(open.filter(({ call: waiting }) => waiting === at).length)
          expect(call.atOnce).toBeLessThanOrEqual(MOST_AT_ONCE)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('are refused in words that say what to do instead', () => {
    expect(() => new AskingPlaces(() => 1).take(callOf('a'))).toThrow(
      /1 call may be in flight.*Do it without/,
    )
    const places = new AskingPlaces(() => 2)
    const busy = callOf('busy')
    const some = Array.from({ length: MOST_AT_ONCE }, () => places.take(busy))
    expect(() => places.take(busy)).toThrow(/wait for 4 answers already/)
    for (const end of some) end()
    for (let at = MOST_AT_ONCE; at < MOST_OF_A_CALL; at++) places.take(busy)()
    expect(() => places.take(busy)).toThrow(/100 times/)
  })
})
