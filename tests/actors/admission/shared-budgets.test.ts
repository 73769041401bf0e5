/** Two processes that spend from one budget, over one log: what one of them releases, the other may use. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Budgets, type CallRequest } from '../../../src/actors/admission/budgets.ts'
import type { HeldTask } from '../../../src/actors/agent/tasks/held.ts'
import { systemClock } from '../../../src/clock.ts'
import { silentLogger } from '../../../src/logger.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { ECHO, until, world } from '../world.ts'

const CALL = { budget: { usd: 3 }, callMinimum: { usd: 2, tokens: 0 } }

/** Two managers of the same budgets over one log, as the workers and the clients of a cluster have them. */
function inTwoProcesses() {
  const environment = { store: memoryStore(), clock: systemClock, logger: silentLogger, isShared: true }
  const open = () => new Budgets(environment, { usd: 0.01, tokens: 0 }, 0.1)
  const call = (callId: string, more: object = {}): CallRequest => ({
    ...{ callId, taskId: callId, agent: 'a', agentVersion: 0, ...more },
    costs: { totals: { interactions: 1, costUsd: 2, inputTokens: 0, outputTokens: 0 }, lastCost: null },
  })
  return { one: open(), two: open(), call }
}

/** Two orchestrators over one log. Each call costs what is left of the reservation, and takes a second. */
async function twoProcesses(costUsd: number, options: object = CALL) {
  const here = await world()
  const script = { reply: ({ prompt }: { prompt: string }) => ({ text: prompt, costUsd, delayMs: 1000 }) }
  const open = async (id: string, own: object = {}) => {
    const { orchestrator, runner } = await here.open(script, { ...options, ...own })
    return { orchestrator, runner, agent: await orchestrator.createAgent({ ...ECHO, id }) }
  }
  return { ...here, open, one: await open('one'), two: await open('two') }
}

type Process = Awaited<ReturnType<typeof twoProcesses>>['one']

const held = ({ agent }: Process, task: string) => {
  let reply: PromiseLike<unknown> | undefined
  const isHeld = new Promise<HeldTask>((resolve) => {
    reply = agent.ask(task, { taskId: task, onHeld: resolve })
  })
  return { isHeld, reply: reply as PromiseLike<unknown> }
}

describe('Two processes under one budget', () => {
  test('starve nobody: what one of them releases, the other one uses', async () => {
    const { clock, one, two } = await twoProcesses(0.5)
    const first = one.agent.ask('first')
    await until(() => one.runner.calls.length === 1 && clock.pending > 0)
    const second = held(two, 'second')
    expect(await second.isHeld).toMatchObject({ reason: 'budget', budget: { reserved: { usd: 2 } } })
    await clock.advance(1000)
    await first
    await until(() => two.runner.calls.length === 1 && clock.pending > 0)
    await clock.advance(1000)
    expect(await second.reply).toMatchObject({ text: 'second' })
    await two.orchestrator.recover()
    expect(await two.orchestrator.budgets.show()).toMatchObject({ spent: { usd: 1 }, reserved: { usd: 0 } })
  })

  test.each([{}, { agent: 'a' }, { run: 'r' }])(
    'hear of one that the other sets, lowers, removes and sets again, each time before the next call: %j',
    async (scope) => {
      const { one, two, call } = inTwoProcesses()
      await two.load()
      expect(await two.reserve(call('1', { runId: 'r' }))).toBeUndefined()
      for (const usd of [1, null, 9, 0.5]) {
        await one.set(scope, { usd })
        expect((await two.show(scope)).limit.usd).toBe(usd)
        expect(await two.list()).toHaveLength(usd === null ? 0 : 1)
        const refused = await two.reserve(call(`with ${usd}`, { runId: 'r' }))
        expect(refused === undefined, String(usd)).toBe(usd === null || usd > 2)
      }
      await Promise.all([one.close(), two.close()])
    },
  )

  test('notice that another process has raised it', async () => {
    const { clock, one, two } = await twoProcesses(3)
    const first = one.agent.ask('first')
    await until(() => one.runner.calls.length === 1 && clock.pending > 0)
    await clock.advance(1000)
    await first
    const second = held(two, 'second')
    await second.isHeld
    await one.orchestrator.budgets.set({ usd: 10 })
    await until(() => two.runner.calls.length === 1 && clock.pending > 0)
    await clock.advance(1000)
    await second.reply
  })

  test('do not both take the last room, if one of them takes it while the other one reserves', async () => {
    const { clock, store, one, open } = await twoProcesses(0.1)
    let first: PromiseLike<unknown> | undefined
    const slow: EventStore = {
      ...store,
      async append(stream, facts, more) {
        if (!first && facts.some(({ type }) => type === 'BudgetReserved')) {
          first = one.agent.ask('first')
          await until(() => one.runner.calls.length === 1 && clock.pending > 0)
        }
        return store.append(stream, facts, more)
      },
      async [Symbol.asyncDispose]() {},
    }
    const late = await open('late', { store: slow })
    const second = held(late, 'second')
    const isCalled = until(() => late.runner.calls.length > 0)
    expect(await Promise.race([second.isHeld, isCalled])).toMatchObject({
      reason: 'budget',
      budget: { reserved: { usd: 2 } },
    })
    await clock.advance(1000)
    await first
    await until(() => late.runner.calls.length === 1 && clock.pending > 0)
    await clock.advance(1000)
    expect(await second.reply).toMatchObject({ text: 'second' })
  })

  test('do not both take the last room, whenever they ask', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 4 }), async (others) => {
        const byOne = [true, false, ...others]
        const { clock, store, one, two } = await twoProcesses(0.1)
        const replies = byOne.map((isOne, index) => (isOne ? one : two).agent.ask(`task ${index}`))
        let answered = 0
        for (const reply of replies) void reply.then(() => answered++)
        while (answered < replies.length) {
          await until(() => clock.pending > 0 || answered === replies.length)
          await clock.advance(1000)
        }
        let inFlight = 0
        let most = 0
        for await (const { type } of store.readAll()) {
          if (type === 'CallStarted') inFlight++
          if (type === 'CallSucceeded') inFlight--
          most = Math.max(most, inFlight)
        }
        expect(most).toBe(1)
      }),
      { numRuns: 5 },
    )
  })
})
