import { describe, expect, test } from 'vitest'
import type { AgentRunner, Recovered } from '../../../src/claude/runner.ts'
import { ApiUnavailableError, CallTimeoutError } from '../../../src/events/errors/call.ts'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { ECHO, until, world } from '../world.ts'

/** Answers on a signal even if its call was aborted, like a process that was about to end. */
function stubborn() {
  let answer = () => {}
  const waiting = new Promise<void>((resolve) => (answer = resolve))
  const script = scriptedRunner({
    reply: async ({ prompt }) => {
      if (prompt === 'slow') await waiting
      const usage = { inputTokens: 3, outputTokens: 4, cacheReadTokens: 0, cacheCreationTokens: 0 }
      return { text: prompt === 'slow' ? 'late '.repeat(20_000) : prompt, costUsd: 2, usage }
    },
  })
  const runner: AgentRunner = {
    start: (call) => script.start(call, { signal: new AbortController().signal }),
    recover: (call, options) => script.recover(call, options),
  }
  return { runner, calls: script.calls, answer }
}

async function asked(options = {}) {
  const here = await world()
  const { runner, calls, answer } = stubborn()
  const { orchestrator } = await here.open({}, { runner, budget: { usd: 10 } })
  const agent = await orchestrator.createAgent({ ...ECHO, ...options })
  const task = agent.ask('slow', { taskId: 't1' })
  task.catch(() => {})
  await until(() => calls.length === 1)
  return { ...here, orchestrator, agent, task, answer }
}

describe('An answer that arrives after its task', () => {
  test('was cancelled is kept with its text and its cost, and not delivered', async () => {
    const { orchestrator, agent, task, answer, types } = await asked()
    await task.cancel('not needed')
    const next = agent.ask('next')
    answer()
    expect((await next).text).toBe('next')
    await expect(task).rejects.toMatchObject({ _tag: 'TaskCancelledError' })
    await expect(agent.ask('slow', { taskId: 't1' })).rejects.toMatchObject({ _tag: 'TaskCancelledError' })
    const [late, ...others] = await orchestrator.lateAnswers()
    expect(others).toEqual([])
    expect(late).toMatchObject({ agent: 'echo', taskId: 't1', costUsd: 2, tokens: 7 })
    expect(late?.text).toBe('late '.repeat(20_000))
    expect(agent.metrics()).toMatchObject({ totalCostUsd: 4, totalTokens: 14, totalInteractions: 1 })
    await orchestrator.recover()
    expect(await orchestrator.budgets.show()).toMatchObject({
      spent: { usd: 4, tokens: 14 },
      reserved: { usd: 0 },
    })
    expect((await types('echo')).filter((type) => type === 'LateAnswerRecorded').length).toBe(1)
    // The conversation continues without it.
    expect((await agent.sessions()).map(({ parentSessionId }) => parentSessionId)).toEqual([null])
  })

  test('timed out is kept as well', async () => {
    const { orchestrator, agent, task, answer, clock } = await asked({
      timeoutMs: 1000,
      retry: { attempts: 0 },
    })
    await clock.advance(1000)
    await expect(task).rejects.toBeInstanceOf(CallTimeoutError)
    answer()
    await agent.settled()
    expect(await orchestrator.lateAnswers({ agent: 'echo' })).toMatchObject([{ taskId: 't1', costUsd: 2 }])
    expect(await orchestrator.agents()).toMatchObject([{ lateAnswers: 1 }])
  })

  test('comes while the end of its task is written and everything closes is kept as well', async () => {
    const here = await world()
    const { runner, calls, answer } = stubborn()
    let written = () => {}
    const writing = new Promise<void>((resolve) => (written = resolve))
    let isWriting = false
    const store: EventStore = {
      ...here.store,
      [Symbol.asyncDispose]: async () => {},
      append: async (stream, facts, options) => {
        if (facts.some(({ type }) => type === 'TaskFailed')) {
          isWriting = true
          await writing
        }
        return here.store.append(stream, facts, options)
      },
    }
    const { orchestrator } = await here.open({}, { runner, store })
    const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 1000, retry: { attempts: 0 } })
    const task = agent.ask('slow', { taskId: 't1' })
    task.catch(() => {})
    await until(() => calls.length === 1)
    await here.clock.advance(1000)
    await until(() => isWriting)
    answer()
    // Its turn comes after the write.
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
    const closing = orchestrator.close()
    written()
    await closing
    const { orchestrator: next } = await here.open({}, { runner })
    expect(await next.lateAnswers()).toMatchObject([{ taskId: 't1', costUsd: 2, tokens: 7 }])
    await next.close()
  })

  test('was removed with its agent can still be read, also when another agent has its name', async () => {
    const { orchestrator, answer } = await asked()
    const removed = orchestrator.removeAgent('echo')
    await new Promise<void>((resolve) => setImmediate(resolve))
    answer()
    await removed
    expect(await orchestrator.lateAnswers()).toMatchObject([{ agent: 'echo', taskId: 't1' }])
    await orchestrator.createAgent(ECHO)
    expect(await orchestrator.lateAnswers()).toMatchObject([{ agent: 'echo', taskId: 't1' }])
    expect(await orchestrator.budgets.show()).toMatchObject({ spent: { usd: 2 } })
  })
})

/** What ends the task of a call that was begun, and is not waited for any more. */
const ENDS: Readonly<Record<string, (orchestrator: Orchestrator) => Promise<unknown>>> = {
  cancelled: async (orchestrator) => (await orchestrator.agent('echo')).cancel('t1', 'not needed'),
  'cancelled, with its agent stopped': async (orchestrator) => (await orchestrator.agent('echo')).stop(),
  'cancelled, with its agent removed': (orchestrator) => orchestrator.removeAgent('echo'),
}

describe.each(Object.entries(ENDS))('What a call cost is recorded when its task is %s', (_, end) => {
  const spent = {
    costUsd: 2,
    usage: { inputTokens: 3, outputTokens: 4, cacheReadTokens: 0, cacheCreationTokens: 0 },
  }

  async function booked(orchestrator: Orchestrator, store: EventStore) {
    const costs: unknown[] = []
    for await (const { type, data } of store.read('agent/echo'))
      if (type === 'LateCostRecorded') costs.push(data.costUsd)
    return { costs, ...(await orchestrator.budgets.show())?.spent }
  }

  test('after its supervisor had stopped the agent', async () => {
    const here = await world()
    const reply = () => ({ delayMs: 1000, spent })
    const { orchestrator, runner } = await here.open({ reply }, { budget: { usd: 10 } })
    const agent = await orchestrator.createAgent(ECHO)
    const supervisor = await orchestrator.supervise({ id: 'top', children: [{ agent: 'echo' }] })
    agent.ask('slow', { taskId: 't1' }).catch(() => {})
    await until(() => runner.calls.length === 1)
    await supervisor.stop()
    await end(orchestrator)
    expect(await booked(orchestrator, here.store)).toMatchObject({ costs: [2], usd: 2 })
  })

  test('and its agent has only been looked at since another process began it', async () => {
    const here = await world()
    const first = await here.open({ reply: () => ({ delayMs: 1000 }) }, { budget: { usd: 10 } })
    const agent = await first.orchestrator.createAgent(ECHO)
    agent.ask('slow', { taskId: 't1' }).catch(() => {})
    await until(() => first.runner.calls.length === 1)
    await first.orchestrator.close()
    const recover = () => ({ outcome: 'unanswered', spent }) as const
    const { orchestrator } = await here.open({ recover }, { resume: 'on-demand', budget: { usd: 10 } })
    await end(orchestrator)
    await (await orchestrator.agent('echo').catch(() => undefined))?.settled()
    expect(await booked(orchestrator, here.store)).toMatchObject({ costs: [2], usd: 2 })
  })
})

describe.each(['cancelled', 'failed at its deadline'])('If a process dies after a task has %s', (how) => {
  const usage = { inputTokens: 3, outputTokens: 4, cacheReadTokens: 0, cacheCreationTokens: 0 }
  const spent = { costUsd: 2, usage }
  const nothing = { text: 'late', durationMs: 1, turns: 1, model: null, permissionDenials: [] }

  /** The first process ends the task, but neither the call nor itself. */
  async function died(store?: (store: EventStore) => EventStore) {
    const here = await world()
    const reply = () => (store ? { delayMs: 60_000, spent } : new Promise<never>(() => {}))
    const options = store && { store: store({ ...here.store, [Symbol.asyncDispose]: async () => {} }) }
    const { orchestrator, runner } = await here.open({ reply }, { budget: { usd: 10 }, ...options })
    const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 1000, retry: { attempts: 0 } })
    orchestrator.run(sequential(['echo']), 'slow', { id: 'r1' }).catch(() => {})
    await until(() => runner.calls.length === 1)
    if (how === 'cancelled') await orchestrator.runs.cancel('r1')
    else await here.clock.advance(1000)
    await until(() => agent.snapshot.context.current === null)
    return here
  }

  /** What the next two processes find and record. */
  async function recovered(here: Awaited<ReturnType<typeof died>>, outcome: Recovered) {
    let asked = 0
    const recover = () => {
      asked += 1
      return outcome
    }
    const budgets: unknown[] = []
    for (let time = 0; time < 2; time++) {
      const { orchestrator } = await here.open({ recover }, { budget: { usd: 10 } })
      await orchestrator.recover()
      const { spent, reserved } = (await orchestrator.budgets.show()) ?? {}
      budgets.push({ spent: spent?.usd, reserved: reserved?.usd })
      await orchestrator.close()
    }
    expect(asked).toBe(1)
    expect(budgets[1]).toEqual(budgets[0])
    return {
      budget: budgets[0],
      types: (await here.types('echo')).filter((type) => /Late|Unknown/.test(type)),
    }
  }

  test.each([
    ['had an answer', { outcome: 'answered', result: { ...nothing, ...spent } }, 'LateAnswerRecorded', 2],
    ['had failed', { outcome: 'failed', error: new ApiUnavailableError(), spent }, 'LateCostRecorded', 2],
    ['was cut off', { outcome: 'unanswered', spent }, 'LateCostRecorded', 2],
    ['did not say what it cost', { outcome: 'unanswered' }, 'CallOutcomeUnknown', 0.01],
    ['was never sent', { outcome: 'unsent' }, 'LateCostRecorded', 0],
  ] as const)('the next one finds out, once, that its call %s', async (_, outcome, fact, usd) => {
    const here = await died()
    expect(await recovered(here, outcome)).toEqual({ budget: { spent: usd, reserved: 0 }, types: [fact] })
  })

  test('what its call had cost counts for its run as well, once', async () => {
    const here = await died((store) => ({
      ...store,
      append: (stream, facts, options) =>
        facts.some(({ type }) => type === 'LateCostRecorded')
          ? new Promise<never>(() => {})
          : store.append(stream, facts, options),
    }))
    const booked = async () => {
      const costs: unknown[] = []
      for await (const { type, data } of here.store.read('run/r1'))
        if (type === 'StepCostRecorded') costs.push(data.costUsd)
      return costs
    }
    while ((await booked()).length === 0) await new Promise<void>((resolve) => setImmediate(resolve))
    await recovered(here, { outcome: 'unanswered', spent })
    expect(await booked()).toEqual([2])
  })
})
