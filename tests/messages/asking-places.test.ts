/** Calls that wait for the answers of other agents: whatever they ask, one that works has a place. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AskingPlaces } from '../../src/messages/asking-places.ts'
import { agent, team } from './kit.ts'

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
        const open: { readonly call: number; readonly end: () => void }[] = []
        for (const { call, answers, room: now } of steps) {
          room = now
          if (answers) open.splice(0, 1)[0]?.end()
          const waiting = new Set(open.map((one) => one.call)).add(call).size
          const asked = () => open.push({ call, end: places.take(`call-${call}`) })
          if (waiting < room) asked()
          else expect(asked).toThrow()
        }
      }),
      { numRuns: 300 },
    )
  })

  test('from code are refused at once as well if no place is left for the answer, in words that say what to do', async () => {
    const { open } = team()
    const refused: unknown[] = []
    const { orchestrator, runner } = await open(
      {
        reply: async ({ agent: from }) => {
          const asking = orchestrator.messages.ask({ from, to: 'expert', text: 'Well?' })
          return (await asking.catch((error) => void refused.push(error)))?.text ?? 'Done.'
        },
      },
      { limits: { callsInFlight: 1 } },
    )
    for (const id of ['lead', 'expert']) await orchestrator.createAgent(agent(id))
    expect(await orchestrator.sendTask('lead', 'Go.')).toBe('Done.')
    expect(refused).toEqual([
      expect.objectContaining({
        _tag: 'InvalidInputError',
        message: expect.stringMatching(/1 call may be in flight.*Do it without/),
      }),
    ])
    expect(runner.calls.map((call) => call.agent)).toEqual(['lead'])
    // Outside of a turn it takes no place of its own.
    const asked = orchestrator.messages.ask({ from: 'lead', to: 'expert', text: 'Well?' })
    await expect(asked).resolves.toMatchObject({ from: 'expert' })
  })
})
