/** Which agents wait for which: whatever they ask of each other, none waits for itself, and one that works has a place. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Asks, type CallOfAsker, DEEPEST, MOST_AT_ONCE, MOST_OF_A_CALL } from '../../src/team/asks.ts'

const callOf = (agent: string): CallOfAsker => ({ agent, atOnce: 0, inAll: 0 })

/** Each agent that one waits for, directly or through others. */
function awaited(agent: string, waits: readonly (readonly [from: string, to: string])[]): Set<string> {
  const found = new Set<string>()
  const add = (of: string) => {
    for (const [from, to] of waits)
      if (from === of && !found.has(to)) {
        found.add(to)
        add(to)
      }
  }
  add(agent)
  return found
}

describe('Agents that ask each other', () => {
  test('never wait for themselves, however they ask and are answered, and leave a place to one that works', () => {
    const agents = ['a', 'b', 'c', 'd', 'e']
    const step = fc.record({
      from: fc.constantFrom(...agents),
      to: fc.constantFrom(...agents),
      answers: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, room) => {
        const asks = new Asks(() => room)
        const calls = new Map(agents.map((agent) => [agent, callOf(agent)]))
        const open: { from: string; to: string; end: () => void }[] = []
        for (const { from, to, answers } of steps) {
          if (answers) open.splice(0, 1)[0]?.end()
          const call = calls.get(from) as CallOfAsker
          try {
            open.push({ from, to, end: asks.begin(call, to) })
          } catch {
            continue
          }
          const waits = open.map((ask) => [ask.from, ask.to] as const)
          for (const agent of agents) expect(awaited(agent, waits).has(agent)).toBe(false)
          expect(new Set(waits.map(([asker]) => asker)).size).toBeLessThan(room)
          expect(call.atOnce).toBeLessThanOrEqual(MOST_AT_ONCE)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('are refused at once where a limit of one call leaves no place for the answer', () => {
    const asks = new Asks(() => 1)
    expect(() => asks.begin(callOf('a'), 'b')).toThrow(/1 call may be in flight/)
  })

  test('are refused in words that say what to do instead: of themselves, in circles, too deep, too many', () => {
    const asks = new Asks(() => 100)
    const calls = Array.from({ length: DEEPEST + 2 }, (_, at) => callOf(`agent-${at}`))
    expect(() => asks.begin(callOf('a'), 'a')).toThrow('Asking a: it is you. Work it out yourself')
    const ends = calls.slice(0, DEEPEST).map((call, at) => asks.begin(call, `agent-${at + 1}`))
    expect(() => asks.begin(callOf(`agent-${DEEPEST}`), 'agent-0')).toThrow('it waits for your answer itself')
    expect(() => asks.begin(callOf(`agent-${DEEPEST}`), 'another')).toThrow(/wait for one another already/)
    // From below as well: one that nobody waits for asks the first of the chain.
    expect(() => asks.begin(callOf('another'), 'agent-0')).toThrow(/wait for one another already/)
    for (const end of ends) end()
    const busy = callOf('busy')
    const some = Array.from({ length: MOST_AT_ONCE }, (_, at) => asks.begin(busy, `agent-${at}`))
    expect(() => asks.begin(busy, 'agent-9')).toThrow(/wait for 4 answers already/)
    for (const end of some) end()
    for (let at = MOST_AT_ONCE; at < MOST_OF_A_CALL; at++) asks.begin(busy, 'agent-1')()
    expect(() => asks.begin(busy, 'agent-1')).toThrow(/100 times/)
  })
})
