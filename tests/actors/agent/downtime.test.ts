/** A task is worked on for as long as it may be, however long no process was there meanwhile. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ApiUnavailableError } from '../../../src/events/errors/call.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { type ScriptedAnswer, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { ECHO } from '../world.ts'

const MAY_TAKE_MS = 600_000
const TAKES_MS = 400_000
const WEEK = 7 * 24 * 3_600_000

/** An agent's task in one process after the other. In each, its calls end as `reply` says. */
function machine() {
  const clock = virtualClock()
  const store: EventStore = { ...memoryStore({ clock }), [Symbol.asyncDispose]: async () => {} }
  /** Lets time pass, with everything that follows from it. */
  const pass = async (ms: number) => {
    await clock.advance(ms)
    for (let rounds = 0; rounds < 10; rounds += 1) await clock.advance(0)
  }
  const open = async (reply: ScriptedAnswer, recover?: 'unanswered') => {
    const runner = scriptedRunner({
      clock,
      reply: () => reply,
      ...(recover && { recover: () => ({ outcome: recover }) }),
    })
    return Orchestrator.open({ store, runner, clock, random: () => 1 })
  }
  return { open, pass }
}

const slow = { text: 'done', delayMs: TAKES_MS }

test('a task that its process left in a call, or between two, has its time when the next process takes it up', () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 380_000 }),
      fc.integer({ min: 0, max: WEEK }),
      fc.constantFrom('unsent', 'unanswered', 'waits to retry'),
      async (worked, away, left) => {
        const { open, pass } = machine()
        const first = await open(left === 'waits to retry' ? new ApiUnavailableError() : slow)
        const retry = { minDelayMs: 100_000, maxDelayMs: 100_000 }
        const agent = await first.createAgent({ ...ECHO, retry, timeoutMs: MAY_TAKE_MS })
        const taskId = await agent.accept('x')
        await pass(left === 'waits to retry' ? Math.min(worked, 90_000) : worked)
        await first.close()
        await pass(away)
        const second = await open(slow, left === 'unanswered' ? 'unanswered' : undefined)
        const reply = (await second.agent(ECHO.id)).reply(taskId).catch((error) => error)
        await pass(TAKES_MS + 100_000)
        expect(await reply).toMatchObject({ text: 'done' })
        await second.close()
      },
    ),
    { numRuns: 60 },
  ))

test('from then on its deadline holds', async () => {
  const { open, pass } = machine()
  const first = await open({ text: 'late', delayMs: 9e9 })
  const agent = await first.createAgent({ ...ECHO, timeoutMs: MAY_TAKE_MS })
  const taskId = await agent.accept('x')
  await pass(500_000)
  await first.close()
  await pass(WEEK)
  const second = await open({ text: 'late', delayMs: 9e9 }, 'unanswered')
  const again = await second.agent(ECHO.id)
  const reply = again.reply(taskId).catch((error) => error)
  await pass(MAY_TAKE_MS - 1)
  expect(again.status).toBe('busy')
  await pass(1)
  expect(await reply).toMatchObject({ _tag: 'CallTimeoutError' })
  await second.close()
})
