import { describe, expect, test } from 'vitest'
import type { Recorded } from '../src/events/envelope.ts'
import type { Orchestrator } from '../src/orchestrator.ts'
import { sequential } from '../src/patterns/sequential.ts'
import { AgentFactory } from '../src/workflows/agent-factory.ts'
import { ECHO, until, world } from './actors/world.ts'

describe('the orchestrator', () => {
  test.each(['../x', '/x', 'A b', 'x'.repeat(300), 'a\0b', '', '-a', 'agent/x'])(
    'refuses %j as an id, and writes nothing',
    async (id) => {
      const { open, store } = await world()
      const { orchestrator } = await open()
      await expect(orchestrator.createAgent({ ...ECHO, id })).rejects.toMatchObject({
        _tag: 'InvalidIdError',
      })
      await expect(orchestrator.agent(id)).rejects.toMatchObject({ _tag: 'InvalidIdError' })
      expect(await store.head()).toBe(0)
    },
  )

  test.each([
    [{ systemPrompt: '  ' }, 'system prompt'],
    [{ timeoutMs: 0 }, 'timeoutMs'],
    [{ timeoutMs: 1.5 }, 'timeoutMs'],
    [{ maxTurns: -1 }, 'maxTurns'],
    [{ retry: { attempts: -1 } }, 'retry.attempts'],
    [{ model: '--help' }, 'model'],
    [{ allowedTools: ['--x'] }, 'allowedTools'],
  ])('refuses an agent with %j, and writes nothing', async (options, named) => {
    const { open, store } = await world()
    const { orchestrator } = await open()
    await expect(orchestrator.createAgent({ ...ECHO, ...options })).rejects.toThrow(new RegExp(named, 'i'))
    expect(await store.head()).toBe(0)
  })

  test('refuses an id that is taken, and accepts it again after a removal', async () => {
    const { orchestrator } = await (await world()).open()
    await orchestrator.createAgent(ECHO)
    await expect(orchestrator.createAgent(ECHO)).rejects.toMatchObject({ _tag: 'AgentExistsError' })
    await orchestrator.removeAgent('echo')
    const again = await orchestrator.createAgent(ECHO)
    expect(again.snapshot.context.session).toBe(null)
  })

  test('suggests the agent that was probably meant', async () => {
    const { orchestrator } = await (await world()).open()
    await orchestrator.createAgent(AgentFactory.createResearcher())
    await expect(orchestrator.agent('reseacher')).rejects.toThrow('Did you mean "researcher"?')
    await expect(orchestrator.agent('zzz')).rejects.toThrow(
      'No agent "zzz". List them: claude-agents agent list',
    )
  })

  test('enforces its limit of agents, even if they are created at once', async () => {
    const { open, store } = await world()
    const { orchestrator } = await open({}, { maxAgents: 3 })
    const created = await Promise.allSettled(
      ['a', 'b', 'c', 'd', 'e'].map((id) => orchestrator.createAgent({ ...ECHO, id })),
    )
    expect(created.filter(({ status }) => status === 'fulfilled').length).toBe(3)
    expect(await store.head()).toBe(3)
    await orchestrator.removeAgent('a')
    await orchestrator.createAgent({ ...ECHO, id: 'f' })
  })

  test('refuses an empty prompt, and writes nothing', async () => {
    const { open, store } = await world()
    const { orchestrator } = await open()
    await orchestrator.createAgent(ECHO)
    for (const prompt of ['', ' \n ']) {
      await expect(orchestrator.sendTask('echo', prompt)).rejects.toMatchObject({ _tag: 'InvalidInputError' })
    }
    expect(await store.head()).toBe(1)
  })

  test('lists agents without folding them', async () => {
    const { orchestrator } = await (await world()).open({ reply: () => ({ text: 'x', costUsd: 0.25 }) })
    await orchestrator.createAgent({ ...ECHO, id: 'b' })
    await orchestrator.createAgent({ ...ECHO, id: 'a' })
    await orchestrator.createAgent({ ...ECHO, id: 'c' })
    await orchestrator.sendTask('a', 'x')
    await orchestrator.removeAgent('c')
    const agents = await orchestrator.agents()
    expect(agents).toMatchObject([
      { id: 'a', status: 'idle', queue: 0, totalInteractions: 1, totalCostUsd: 0.25, version: 4 },
      { id: 'b', status: 'idle', queue: 0, totalInteractions: 0, version: 1 },
    ])
    expect(agents[0]?.currentSession).toBe((await orchestrator.agent('a')).snapshot.context.session)
  })

  test('cleans up: removes every agent and keeps the history', async () => {
    const { open, store } = await world()
    const { orchestrator } = await open()
    for (const id of ['a', 'b']) await orchestrator.createAgent({ ...ECHO, id })
    await orchestrator.cleanupAll()
    expect(await orchestrator.agents()).toEqual([])
    expect(await store.head()).toBe(4)
  })

  test('cancels the task of a busy agent before removing it', async () => {
    const { open, clock, types } = await world()
    const { orchestrator } = await open({ reply: () => ({ text: 'x', delayMs: 9e9 }) })
    const agent = await orchestrator.createAgent(ECHO)
    const task = agent.ask('x')
    const failure = expect(task).rejects.toThrow('the agent was removed')
    await until(() => agent.status === 'busy' && clock.pending >= 2)
    await orchestrator.removeAgent('echo')
    await failure
    expect((await types('echo')).slice(-3)).toEqual(['TaskCancelled', 'CallOutcomeUnknown', 'AgentRemoved'])
  })

  test('streams past and new events, as an observable and as an iterable', async () => {
    const { orchestrator } = await (await world()).open()
    const heard: Recorded[] = []
    const subscription = orchestrator.events().subscribe((recorded) => heard.push(recorded))
    await orchestrator.createAgent(ECHO)
    await orchestrator.sendTask('echo', 'x')
    await until(() => heard.length === 4)
    subscription.unsubscribe()
    expect(heard.map(({ position }) => position)).toEqual([1, 2, 3, 4])
    const iterated: string[] = []
    for await (const { type } of orchestrator.events({ after: 2 })) {
      iterated.push(type)
      if (iterated.length === 2) break
    }
    expect(iterated).toEqual(['CallStarted', 'CallSucceeded'])
  })

  test('ends its event streams after the last event when it closes, and refuses new ones', async () => {
    const { orchestrator } = await (await world()).open()
    const heard: string[] = []
    const ended = new Promise<void>((complete) =>
      orchestrator.events().subscribe({ next: ({ type }) => heard.push(type), complete }),
    )
    await orchestrator.createAgent(ECHO)
    await orchestrator.close()
    await ended
    expect(heard).toEqual(['AgentCreated'])
    await expect(orchestrator.agents()).rejects.toMatchObject({ _tag: 'ClosedError' })
    await expect(orchestrator.createAgent({ ...ECHO, id: 'late' })).rejects.toMatchObject({
      _tag: 'ClosedError',
    })
    await orchestrator.close()
  })

  test.each<[string, (orchestrator: Orchestrator) => unknown]>([
    ['budgets.set', ({ budgets }) => budgets.set({ usd: 1 })],
    ['budgets.show', ({ budgets }) => budgets.show()],
    ['budgets.list', ({ budgets }) => budgets.list()],
    ['held.list', ({ held }) => held.list()],
    ['held.approve', ({ held }) => held.approve('t')],
    ['held.reject', ({ held }) => held.reject('t')],
    ['lateAnswers', (orchestrator) => orchestrator.lateAnswers()],
    ['runs.list', ({ runs }) => runs.list()],
    ['runs.show', ({ runs }) => runs.show('r')],
    ['runs.plan', ({ runs }) => runs.plan('r', sequential(['echo']))],
    ['runs.resume', ({ runs }) => runs.resume('r', sequential(['echo']))],
    ['runs.cancel', ({ runs }) => runs.cancel('r')],
    ['runs.fork', ({ runs }) => runs.fork('r', { at: 1 })],
    ['history.log', ({ history }) => history.log()],
    ['history.replay', ({ history }) => history.replay('agent/echo')],
    ['history.stateAt', ({ history }) => history.stateAt('agent/echo')],
    ['history.verify', ({ history }) => history.verify()],
    ['history.why', ({ history }) => history.why(1)],
  ])('refuses %s once it is closed', async (_, attempt) => {
    const { orchestrator } = await (await world()).open()
    await orchestrator.close()
    await expect(async () => attempt(orchestrator)).rejects.toMatchObject({
      _tag: 'ClosedError',
      details: { what: 'orchestrator' },
    })
  })

  test('records the cause of each fact', async () => {
    const { open, store } = await world()
    const { orchestrator } = await open()
    await orchestrator.createAgent(ECHO)
    await orchestrator.sendTask('echo', 'x', { taskId: 't1' })
    const facts: Recorded[] = []
    for await (const recorded of store.readAll({ after: 1 })) facts.push(recorded)
    const [accepted, started, succeeded] = facts
    expect(facts.map(({ correlationId }) => correlationId)).toEqual(['t1', 't1', 't1'])
    expect(accepted?.causationId).toBe(null)
    expect(started?.causationId).toBe(accepted?.id)
    expect(succeeded?.causationId).toBe(started?.id)
  })

  test('replays an agent to any version', async () => {
    const { orchestrator } = await (await world()).open()
    await orchestrator.createAgent(ECHO)
    await orchestrator.sendTask('echo', 'x')
    const steps: string[] = []
    for await (const { recorded, before, after } of orchestrator.history.replay('agent/echo', { to: 3 })) {
      steps.push(`${recorded.type}: ${before.value} -> ${after.value}`)
    }
    expect(steps).toEqual([
      'AgentCreated: absent -> idle',
      'TaskAccepted: idle -> idle',
      'CallStarted: idle -> busy',
    ])
  })
})
