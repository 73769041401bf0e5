import { describe, expect, test } from 'vitest'
import { estimate } from '../../../src/actors/admission/budget-arithmetic.ts'
import type { HeldTask } from '../../../src/actors/agent/tasks/held.ts'
import { ApiUnavailableError, RefusedError } from '../../../src/events/errors/call.ts'
import type { ScriptedRunnerOptions } from '../../../src/testing/scripted-runner.ts'
import { ECHO, until, world } from '../world.ts'

/** Each call has this cost and echoes its prompt. */
const costing = (costUsd: number, outputTokens = 0): ScriptedRunnerOptions => ({
  reply: ({ prompt }) => ({
    text: prompt,
    costUsd,
    usage: { inputTokens: 0, outputTokens, cacheReadTokens: 0, cacheCreationTokens: 0 },
  }),
})

const promise = <T>() => {
  let resolve: (value: T) => void = () => {}
  const happened = new Promise<T>((onResolve) => (resolve = onResolve))
  return { happened, resolve }
}

/** Asks, and resolves when the task is held. */
function askHeld(
  agent: { ask: (task: string, options: object) => PromiseLike<unknown> },
  task: string,
  taskId = task,
) {
  const { happened, resolve } = promise<HeldTask>()
  const reply = agent.ask(task, { taskId, onHeld: resolve })
  reply.then(
    () => {},
    () => {},
  )
  return { held: happened, reply }
}

test('A held task that just fits is not held again by the room it has reserved itself', async () => {
  const { orchestrator } = await (await world()).open(costing(1))
  const agent = await orchestrator.createAgent({ ...ECHO, budget: { usd: 1.5 } })
  await agent.ask('one')
  await askHeld(agent, 'two').held
  const holds: string[] = []
  await orchestrator.budgets.set({ usd: 2 }, { agent: 'echo' })
  // Both the raised budget and whoever asks for the reply make the agent look for room.
  const reply = await agent.reply('two', { onHeld: ({ message }) => holds.push(message) })
  expect({ text: reply.text, holds }).toEqual({ text: 'two', holds: [] })
})

describe('A budget of $3 and calls of $2.50', () => {
  test('hold the second task without a request; once raised, it resumes automatically', async () => {
    const { orchestrator, runner } = await (await world()).open(costing(2.5))
    const agent = await orchestrator.createAgent({ ...ECHO, budget: { usd: 3 } })
    expect((await agent.ask('one')).text).toBe('one')
    const { held, reply } = askHeld(agent, 'two')
    expect(await held).toMatchObject({
      taskId: 'two',
      reason: 'budget',
      message: expect.stringContaining('about $2.50 is needed, and $0.50 of $3.00 is left'),
      hint: expect.stringContaining('budget set --agent echo --usd'),
      estimate: { usd: 2.5 },
    })
    expect(runner.calls.length).toBe(1)
    expect(agent.status).toBe('idle')
    expect(await orchestrator.held.list()).toMatchObject([{ agent: 'echo', taskId: 'two' }])
    await agent.setBudget({ usd: 4.9 })
    expect(runner.calls.length).toBe(1)
    await agent.setBudget({ usd: 5 })
    expect(await reply).toMatchObject({ text: 'two' })
    expect(await agent.budget()).toMatchObject({
      spent: { usd: 5 },
      reserved: { usd: 0 },
      remaining: { usd: 0 },
    })
    expect(await orchestrator.held.list()).toEqual([])
  })

  test('a task that they hold can be rejected, needs no approval, and holds up no other', async () => {
    const { orchestrator, runner } = await (await world()).open(costing(2.5))
    const agent = await orchestrator.createAgent({ ...ECHO, budget: { usd: 3 } })
    await agent.ask('one')
    const two = askHeld(agent, 'two')
    const three = askHeld(agent, 'three')
    await Promise.all([two.held, three.held])
    await expect(orchestrator.held.approve('two')).rejects.toMatchObject({
      _tag: 'TaskNotHeldError',
      message: expect.stringMatching(
        /does not fit.* It needs no approval\. .*budget set --agent echo --usd N$/,
      ),
    })
    await orchestrator.held.reject('two', { by: 'Ada', reason: 'too dear' })
    await expect(two.reply).rejects.toMatchObject({ _tag: 'TaskRejectedError', details: { by: 'Ada' } })
    expect((await orchestrator.held.list()).map(({ taskId }) => taskId)).toEqual(['three'])
    await expect(orchestrator.held.reject('two')).rejects.toMatchObject({ _tag: 'TaskNotHeldError' })
    await agent.setBudget({ usd: 5 })
    expect(await three.reply).toMatchObject({ text: 'three' })
    expect(runner.calls.map(({ taskId }) => taskId).slice(1)).toEqual(['three'])
    expect(agent.snapshot).toMatchObject({ value: 'idle', context: { failure: null } })
  })

  test('hold it across a restart that raises the budget', async () => {
    const here = await world()
    const first = await here.open(costing(2.5), { budget: { usd: 3 } })
    const agent = await first.orchestrator.createAgent(ECHO)
    await agent.ask('one')
    await askHeld(agent, 'two').held
    await first.orchestrator.close()

    const second = await here.open(costing(2.5), { budget: { usd: 3 } })
    expect(await second.orchestrator.recover()).toEqual([])
    expect(second.runner.calls).toEqual([])
    expect(await second.orchestrator.agents()).toMatchObject([{ status: 'idle', queue: 1, held: 1 }])
    await second.orchestrator.close()

    const third = await here.open(costing(2.5), { budget: { usd: 6 } })
    await third.orchestrator.recover()
    expect(third.runner.calls.map(({ taskId }) => taskId)).toEqual(['two'])
    expect(await third.orchestrator.budgets.show()).toMatchObject({ limit: { usd: 6 }, spent: { usd: 5 } })
    expect((await (await third.orchestrator.agent('echo')).ask('two', { taskId: 'two' })).text).toBe('two')
  })

  test('in one run do not hold another run of the same agent', async () => {
    const { orchestrator, runner } = await (await world()).open(costing(2.5))
    await orchestrator.createAgent(ECHO)
    const { sequential } = await import('../../../src/patterns/sequential.ts')
    const events: string[] = []
    const limited = orchestrator.run(sequential(['echo', 'echo']), 'a', { id: 'limited', budget: { usd: 3 } })
    limited.subscribe(({ state }) => events.push(state))
    await until(() => events.includes('held'))
    expect(await orchestrator.run(sequential(['echo']), 'b', { id: 'free' })).toMatchObject({ success: true })
    expect(runner.calls.length).toBe(2)
    await orchestrator.budgets.set({ usd: 10 }, { run: 'limited' })
    expect(await limited).toMatchObject({ success: true })
    expect(events).toEqual(['scheduled', 'succeeded', 'scheduled', 'held', 'released', 'succeeded'])
    expect(await orchestrator.budgets.show({ run: 'limited' })).toMatchObject({ spent: { usd: 5 } })
  })
})

test('The next call is estimated at the mean of an agent’s calls, the last one or the minimum, whichever is most', () => {
  const totals = { interactions: 4, costUsd: 4, inputTokens: 300, outputTokens: 101 }
  const minimum = { usd: 0.5, tokens: 10 }
  expect(estimate({ totals, lastCost: { usd: 0.1, tokens: 1 } }, minimum)).toEqual({ usd: 1, tokens: 101 })
  expect(estimate({ totals, lastCost: { usd: 2.5, tokens: 700 } }, minimum)).toEqual({
    usd: 2.5,
    tokens: 700,
  })
  expect(estimate({ totals, lastCost: { usd: 2.5, tokens: 7 } }, { usd: 9, tokens: 0 })).toEqual({
    usd: 9,
    tokens: 101,
  })
  const none = { interactions: 0, costUsd: 0, inputTokens: 0, outputTokens: 0 }
  expect(estimate({ totals: none, lastCost: null }, minimum)).toEqual(minimum)
})

describe('A budget', () => {
  test('holds a call that would fit at the mean of the agent’s calls, but not at the cost of its last one', async () => {
    const costs = [0.5, 2.5]
    const { orchestrator, runner } = await (await world()).open({
      reply: () => ({ text: 'done', costUsd: costs[runner.calls.length - 1] ?? 9 }),
    })
    const agent = await orchestrator.createAgent({ ...ECHO, budget: { usd: 5 } })
    await agent.ask('one')
    await agent.ask('two')
    expect(await askHeld(agent, 'three').held).toMatchObject({ reason: 'budget', estimate: { usd: 2.5 } })
    expect(runner.calls.length).toBe(2)
  })

  test('of several scopes is reserved in all of them or in none', async () => {
    const here = await world()
    const { orchestrator } = await here.open(costing(1), { budget: { usd: 10 } })
    const agent = await orchestrator.createAgent({ ...ECHO, budget: { usd: 0.5 } })
    await agent.ask('one')
    await askHeld(agent, 'two').held
    expect(await orchestrator.budgets.show()).toMatchObject({ spent: { usd: 1 }, reserved: { usd: 0 } })
    const reserved = async (stream: string) => {
      let count = 0
      for await (const { type } of here.store.read(stream)) if (type === 'BudgetReserved') count++
      return count
    }
    expect([await reserved('budget/orchestrator'), await reserved('agent-budget/echo')]).toEqual([1, 1])
  })

  test('lets as many calls begin concurrently as fit', async () => {
    const { orchestrator, runner } = await (await world()).open(
      { reply: () => ({ text: '', delayMs: 9e9 }) },
      { budget: { usd: 0.35 }, callMinimum: { usd: 0.1 } },
    )
    const ids = ['a', 'b', 'c', 'd', 'e']
    const agents = await Promise.all(ids.map((id) => orchestrator.createAgent({ ...ECHO, id })))
    const holds = agents.map((agent) => askHeld(agent, 'go').held)
    await Promise.race(holds.slice(3))
    await until(() => runner.calls.length === 3)
    expect(await orchestrator.held.list()).toMatchObject([{ agent: 'd' }, { agent: 'e' }])
    expect(await orchestrator.budgets.show()).toMatchObject({
      reserved: { usd: 0.3 },
      remaining: { usd: 0.05 },
    })
  })

  test('of zero holds everything, even calls estimated to be free', async () => {
    const { orchestrator, runner } = await (await world()).open(costing(0), {
      budget: { usd: 0 },
      callMinimum: { usd: 0, tokens: 0 },
    })
    const agent = await orchestrator.createAgent(ECHO)
    expect((await askHeld(agent, 'x').held).reason).toBe('budget')
    expect(runner.calls).toEqual([])
  })

  test('of tokens and of dollars holds a call that exceeds either', async () => {
    const { orchestrator } = await (await world()).open(costing(0.01, 600))
    const agent = await orchestrator.createAgent({ ...ECHO, budget: { usd: 100, tokens: 1000 } })
    await agent.ask('one')
    expect((await askHeld(agent, 'two').held).message).toContain(
      'about 600 tokens are needed, and 400 of 1000 are left',
    )
    expect(await agent.budget()).toMatchObject({
      spent: { usd: 0.01, tokens: 600 },
      remaining: { tokens: 400 },
    })
  })

  test('that is set later counts what was spent before and what is in flight', async () => {
    const here = await world()
    const { orchestrator } = await here.open({
      reply: ({ prompt }) => ({ text: prompt, costUsd: 2, delayMs: prompt === 'slow' ? 1000 : 0 }),
    })
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('one')
    const slow = agent.ask('slow')
    await until(() => agent.status === 'busy' && here.clock.pending > 0)
    expect(await agent.setBudget({ usd: 5 })).toMatchObject({ spent: { usd: 2 }, reserved: { usd: 2 } })
    await here.clock.advance(1000)
    await slow
    const { held } = askHeld(agent, 'three')
    expect((await held).budget).toMatchObject({ spent: { usd: 4 } })
    expect(await orchestrator.budgets.set({ usd: 50 })).toMatchObject({
      spent: { usd: 4 },
      limit: { usd: 50 },
    })
  })

  test('that is lowered below what was spent holds the next task, which resumes without a limit', async () => {
    const { orchestrator } = await (await world()).open(costing(1))
    const agent = await orchestrator.createAgent({ ...ECHO, budget: { usd: 10, tokens: 1e6 } })
    await agent.ask('one')
    expect(await agent.setBudget({ usd: 0.2 })).toMatchObject({
      limit: { usd: 0.2, tokens: 1e6 },
      remaining: { usd: -0.8 },
    })
    const { held, reply } = askHeld(agent, 'two')
    await held
    await agent.setBudget({ usd: null })
    await reply
  })

  test('set by hand stays if a program declares the same as before', async () => {
    const here = await world()
    const first = await here.open({}, { budget: { usd: 3 } })
    await first.orchestrator.budgets.set({ usd: 7 })
    await first.orchestrator.close()
    const second = await here.open({}, { budget: { usd: 3 } })
    expect(await second.orchestrator.budgets.show()).toMatchObject({ limit: { usd: 7 } })
    await second.orchestrator.close()
    const third = await here.open({}, { budget: { usd: 4 } })
    expect(await third.orchestrator.budgets.show()).toMatchObject({ limit: { usd: 4 } })
  })

  test('is removed with its agent: the next one of that name has its own', async () => {
    const { orchestrator } = await (await world()).open(costing(1))
    await (await orchestrator.createAgent({ ...ECHO, budget: { usd: 1 } })).ask('one')
    await orchestrator.removeAgent('echo')
    expect(await orchestrator.budgets.list()).toEqual([])
    const again = await orchestrator.createAgent({ ...ECHO, budget: { usd: 2 } })
    expect(await again.budget()).toMatchObject({ limit: { usd: 2 }, spent: { usd: 0 } })
  })

  test('counts nothing for a call that the service refused, and the whole reservation for one of unknown cost', async () => {
    const errors = [new ApiUnavailableError(), new RefusedError()]
    const { orchestrator } = await (await world()).open(
      { reply: () => errors.shift() ?? 'fine' },
      { budget: { usd: 10 }, callMinimum: { usd: 0.5 } },
    )
    const agent = await orchestrator.createAgent({ ...ECHO, retry: { attempts: 1, minDelayMs: 0 } })
    await expect(agent.ask('x')).rejects.toBeInstanceOf(RefusedError)
    await agent.settled()
    await orchestrator.recover()
    expect(await orchestrator.budgets.show()).toMatchObject({ spent: { usd: 0.5 }, reserved: { usd: 0 } })
  })

  test('holds a retry as well, which keeps its position and its number', async () => {
    let calls = 0
    const { orchestrator, runner } = await (await world()).open(
      {
        reply: () => (++calls === 1 ? new RefusedError() : calls === 2 ? new ApiUnavailableError() : 'fine'),
      },
      { budget: { usd: 1 }, callMinimum: { usd: 0.5 } },
    )
    const agent = await orchestrator.createAgent({ ...ECHO, retry: { attempts: 2, minDelayMs: 0 } })
    await expect(agent.ask('refused')).rejects.toThrow('refused')
    const { held, reply } = askHeld(agent, 'x')
    await orchestrator.budgets.set({ usd: 0.6 })
    await held
    await orchestrator.budgets.set({ usd: 2 })
    expect(await reply).toMatchObject({ text: 'fine', attempts: 2 })
    expect(runner.calls.length).toBe(3)
  })

  test('writes nothing if none is set', async () => {
    const here = await world()
    const { orchestrator } = await here.open(costing(1))
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('one')
    expect(await agent.budget()).toMatchObject({ limit: { usd: null }, spent: { usd: 1 } })
    const streams: string[] = []
    for await (const { stream } of here.store.streams()) streams.push(stream)
    expect(streams).toEqual(['agent/echo'])
  })

  test('that is invalid is refused before anything happens', async () => {
    const here = await world()
    for (const budget of [{ usd: -1 }, { tokens: 1.5 }, { usd: Number.NaN }, { dollars: 3 }, null]) {
      const bad = budget as never
      await expect(here.open({}, { budget: bad === null ? (3 as never) : bad })).rejects.toMatchObject({
        _tag: 'InvalidInputError',
      })
    }
    const { orchestrator } = await here.open()
    await expect(orchestrator.createAgent({ ...ECHO, budget: { usd: -1 } })).rejects.toThrow('budget.usd')
    await expect(orchestrator.budgets.set({ usd: 1 }, { agent: 'a', run: 'b' })).rejects.toThrow(
      'not to both',
    )
    expect(await orchestrator.agents()).toEqual([])
    expect(await here.store.head()).toBe(0)
  })
})
