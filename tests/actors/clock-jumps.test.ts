/** Whatever the machine's clock showed when a wait was written, and shows afterwards, nothing waits longer than was decided. */

import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { Governor } from '../../src/actors/admission/governor.ts'
import { agentKind } from '../../src/actors/agent/machine.ts'
import { EventSourcedActor } from '../../src/actors/engine/actor.ts'
import { Ending } from '../../src/actors/engine/exit.ts'
import { defineActor } from '../../src/actors/own/definition.ts'
import { durableTimer, instant, waitLeft } from '../../src/clock.ts'
import { ApiUnavailableError, RateLimitedError } from '../../src/events/errors/call.ts'
import type { FactsOf } from '../../src/events/own-facts.ts'
import { silentLogger } from '../../src/logger.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type ScriptedAnswer, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts'
import { ECHO } from './world.ts'

const YEAR = 365 * 24 * 3_600_000

/** A jump of the machine's clock, back or ahead: by seconds or by years. */
const jump = fc.oneof(
  fc.integer({ min: -2 * 60_000, max: 2 * 60_000 }),
  fc.integer({ min: -20 * YEAR, max: 20 * YEAR }),
)

/** A machine whose clock can be set, and a log in memory that outlives the orchestrators on it. */
function machine() {
  const time = virtualClock()
  let offset = 0
  const clock: VirtualClock = {
    ...time,
    now: () => time.now() + offset,
    monotonic: time.now,
    get pending() {
      return time.pending
    },
    get nextAt() {
      return time.nextAt
    },
  }
  const store: EventStore = { ...memoryStore({ clock }), [Symbol.asyncDispose]: async () => {} }
  return {
    clock,
    store,
    set: (by: number) => {
      offset += by
    },
    async open(reply: (agent: string) => ScriptedAnswer, options = {}) {
      const runner = scriptedRunner({ clock, reply: ({ agent }) => reply(agent) })
      const orchestrator = await Orchestrator.open({ store, runner, clock, random: () => 1, ...options })
      return { orchestrator, runner }
    },
    /** Lets time pass, with everything that follows from it. */
    async pass(ms: number) {
      await time.advance(ms)
      for (let rounds = 0; rounds < 10; rounds += 1) await time.advance(0)
    },
  }
}

const check = (property: (...jumps: [number, number]) => Promise<void>) =>
  fc.assert(fc.asyncProperty(jump, jump, property), { numRuns: 60 })

test('what is left of a wait is never more than was decided, and never less than nothing', () => {
  const time = fc.integer({ min: -1e13, max: 1e13 })
  fc.assert(
    fc.property(time, fc.nat(1e12), time, (writtenAt, delayMs, now) => {
      const timer = durableTimer(writtenAt, delayMs)
      const left = waitLeft(timer.dueAt, timer.delayMs, now)
      expect(left).toBeGreaterThanOrEqual(0)
      expect(left).toBeLessThanOrEqual(delayMs)
      // With a clock that nobody set, it is due when it was decided.
      const passed = Math.abs(now % 1000)
      expect(waitLeft(timer.dueAt, timer.delayMs, writtenAt + passed)).toBe(Math.max(0, delayMs - passed))
    }),
  )
  expect(waitLeft('no instant', 5, 0)).toBe(0)
  expect(waitLeft(instant(Number.MAX_VALUE), 5, 0)).toBe(5)
})

describe('however the clock is set before and after a restart', () => {
  test('a retry is made within its delay', () =>
    check(async (before, after) => {
      const { set, open, pass } = machine()
      const first = await open(() => new ApiUnavailableError())
      const agent = await first.orchestrator.createAgent({ ...ECHO, retry: { minDelayMs: 60_000 } })
      set(before)
      agent.ask('x').catch(() => {})
      await pass(20_000)
      expect(agent.status).toBe('retry')
      await first.orchestrator.close()
      set(after)
      const second = await open(() => 'done')
      await pass(60_000)
      expect(second.runner.calls.length).toBe(1)
      await second.orchestrator.close()
    }))

  test('a limit of the account ends within the wait that was decided, for every agent', () =>
    check(async (before, after) => {
      const { clock, set, open, pass } = machine()
      set(before)
      const resetsAt = instant(clock.now() + 5 * 3_600_000)
      const first = await open(() => new RateLimitedError({ window: 'five_hour', resetsAt }))
      for (const id of ['a', 'b'])
        (await first.orchestrator.createAgent({ ...ECHO, id })).ask('x').catch(() => {})
      await pass(20_000)
      await first.orchestrator.close()
      set(after)
      const second = await open(() => 'done')
      await pass(5 * 3_600_000 + 60_000)
      expect(second.runner.calls.length).toBe(2)
      await second.orchestrator.close()
    }))

  test('a deadline comes within the time that the task had left: during a call, and between two', () =>
    check(async (before, after) => {
      const { set, open, pass } = machine()
      const never = (agent?: string) =>
        agent === 'retrying' ? new ApiUnavailableError() : { text: 'late', delayMs: 9e9 }
      const first = await open(never)
      set(before)
      const retry = { minDelayMs: 9e9, maxDelayMs: 9e9 }
      const ids = ['calling', 'retrying']
      for (const id of ids) {
        const agent = await first.orchestrator.createAgent({ ...ECHO, id, retry, timeoutMs: 600_000 })
        agent.ask(id).catch(() => {})
      }
      await pass(20_000)
      await first.orchestrator.close()
      set(after)
      const second = await open(never)
      await pass(600_000)
      for (const id of ids) {
        const { snapshot } = await second.orchestrator.agent(id)
        expect(snapshot.context.failure?.tag, id).toBe('CallTimeoutError')
      }
      await second.orchestrator.close()
    }))

  test('a restart by a supervisor is made within its back-off', () =>
    check(async (before, after) => {
      const { set, open, pass } = machine()
      let starts = 0
      let ending = new Ending()
      const start = () => {
        starts += 1
        ending = new Ending()
        const ended = ending
        const stop = async () => ended.end({ reason: 'shutdown', error: null })
        return {
          watch: (callback: Parameters<Ending['watch']>[0]) => ended.watch(callback),
          stop,
          kill: stop,
        }
      }
      const specification = {
        id: 'top',
        backoff: { minMs: 60_000, maxMs: 60_000, jitter: 0 },
        children: [{ id: 'child', start }],
      }
      const first = await open(() => 'x')
      await first.orchestrator.supervise(specification)
      set(before)
      ending.end({ reason: 'killed', error: null })
      await pass(20_000)
      await first.orchestrator.close()
      expect(starts).toBe(1)
      set(after)
      const second = await open(() => 'x')
      await second.orchestrator.supervise(specification)
      await pass(60_000)
      expect(starts).toBe(2)
      await second.orchestrator.close()
    }))

  test('a timer of an own actor is due within its delay', () =>
    check(async (before, after) => {
      const { set, open, pass } = machine()
      const facts = {
        Wound: Schema.Struct({ dueAt: Schema.String, delayMs: Schema.Int }),
        Rang: Schema.Struct({}),
      }
      type Context = { timer: { dueAt: string; delayMs: number } | null; rings: number }
      const alarm = defineActor({
        kind: 'alarm',
        facts,
        machine: setup({ types: {} as { context: Context; events: FactsOf<typeof facts> } }).createMachine({
          context: { timer: null, rings: 0 },
          on: {
            Wound: { actions: assign({ timer: ({ event }) => event.data }) },
            Rang: { actions: assign({ timer: null, rings: ({ context }) => context.rings + 1 }) },
          },
        }),
        decide: (command: 'wind' | 'ring', _, { now }) =>
          command === 'wind'
            ? [{ type: 'Wound' as const, data: durableTimer(now, 60_000) }]
            : [{ type: 'Rang' as const, data: {} }],
        effects: ({ context: { timer } }) =>
          timer === null
            ? []
            : [
                {
                  key: timer.dueAt,
                  async run({ wait, signal, self }) {
                    await wait(timer)
                    if (!signal.aborted) await self.tell('ring')
                  },
                },
              ],
      })
      const first = await open(() => 'x', { actors: [alarm] })
      set(before)
      await (await first.orchestrator.spawn(alarm, 'a')).tell('wind')
      await pass(20_000)
      await first.orchestrator.close()
      set(after)
      const second = await open(() => 'x', { actors: [alarm] })
      await pass(60_000)
      expect((await second.orchestrator.spawn(alarm, 'a')).snapshot.context.rings).toBe(1)
      await second.orchestrator.close()
    }))
})

test('a clock that is set while calls wait for a limit does not keep them waiting', async () => {
  const { clock, set, pass } = machine()
  const limits = { callsInFlight: 10, processStarts: 10 }
  const governor = new Governor(limits, { clock, logger: silentLogger })
  governor.close('acme', 60_000)
  let isIn = false
  const { signal } = new AbortController()
  governor.enter({ agent: 'a', account: 'acme' }, signal).then(() => {
    isIn = true
  })
  set(-YEAR)
  await pass(59_999)
  expect(isIn).toBe(false)
  await pass(1)
  expect(isIn).toBe(true)
})

test('a wait of an older log, which does not say how long it was, is bounded by the settings', async () => {
  const { clock, store, open, pass } = machine()
  const task = { taskId: 't', prompt: 'x', textInput: null, session: 'chain', material: {} } as const
  const call = { taskId: 't', callId: 'c', attempt: 1, sessionId: 's', parentSessionId: null } as const
  const deadlineAt = instant(clock.now() + 20 * YEAR)
  const failure = { tag: 'ApiUnavailableError', message: 'x', hint: '', retryable: true, details: {} }
  const first = await open(() => 'x')
  await first.orchestrator.createAgent({ ...ECHO, retry: { maxDelayMs: 30_000 }, timeoutMs: 600_000 })
  await first.orchestrator.close()
  const actor = await EventSourcedActor.load(agentKind, 'echo', { store, clock, logger: silentLogger })
  await actor.decide(() => [
    { type: 'TaskAccepted', data: task },
    { type: 'CallStarted', data: { ...call, deadlineAt } },
    { type: 'CallFailed', data: { taskId: 't', callId: 'c', error: failure } },
    { type: 'RetryScheduled', data: { taskId: 't', attempt: 2, dueAt: deadlineAt } },
  ])
  const second = await open(() => ({ text: 'late', delayMs: 9e9 }))
  await pass(30_000)
  expect(second.runner.calls.length).toBe(1)
  await pass(600_000)
  const { snapshot } = await second.orchestrator.agent('echo')
  expect(snapshot.context.failure?.tag).toBe('CallTimeoutError')
  await second.orchestrator.close()
})
