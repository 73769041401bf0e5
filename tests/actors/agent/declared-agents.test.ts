import { describe, expect, test } from 'vitest'
import { ECHO, world } from '../world.ts'

describe('agents declared when an orchestrator is opened', () => {
  test('are created once, and a changed declaration is a fact that counts from the next call on', async () => {
    const here = await world()
    const first = await here.open({}, { agents: [ECHO] })
    await first.orchestrator.sendTask('echo', 'hello')
    await first.orchestrator.close()
    const again = await here.open({}, { agents: [ECHO] })
    await again.orchestrator.close()
    const { orchestrator, runner } = await here.open(
      {},
      { agents: [{ ...ECHO, systemPrompt: 'You shout.' }] },
    )
    await orchestrator.sendTask('echo', 'hello')
    expect(runner.calls.map(({ settings }) => settings.systemPrompt)).toEqual(['You shout.'])
    expect(runner.calls[0]?.parentSessionId).not.toBeNull()
    const types = await here.types('echo')
    expect(types.filter((type) => type.startsWith('Agent'))).toEqual(['AgentCreated', 'AgentConfigured'])
  })

  test('leave alone agents that are no longer declared', async () => {
    const here = await world()
    const first = await here.open({}, { agents: [ECHO, { id: 'other', systemPrompt: 'x' }] })
    await first.orchestrator.close()
    const { orchestrator } = await here.open({}, { agents: [ECHO] })
    expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(['echo', 'other'])
  })

  test('are refused before anything is written if one is invalid', async () => {
    const here = await world()
    await expect(here.open({}, { agents: [ECHO, { id: 'A!', systemPrompt: 'x' }] })).rejects.toMatchObject({
      _tag: 'InvalidIdError',
    })
    expect(await here.store.head()).toBe(0)
  })
})

describe('the defaults of agents', () => {
  test('are set by the orchestrator', async () => {
    const here = await world()
    const { orchestrator } = await here.open(
      {},
      { agentDefaults: { maxTurns: 2, retry: { attempts: 1 }, model: 'opus' } },
    )
    const { context } = (await orchestrator.createAgent({ ...ECHO, model: 'haiku' })).snapshot
    expect(context.config).toMatchObject({
      maxTurns: 2,
      model: 'haiku',
      retry: { attempts: 1, minDelayMs: 1000 },
    })
  })

  test('without session persistence make each task a conversation of its own', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open({}, { agents: [ECHO], sessionPersistence: false })
    const agent = await orchestrator.agent('echo')
    await agent.ask('one')
    await agent.ask('two')
    await agent.ask('three', { session: 'chain' })
    expect(runner.calls.map(({ parentSessionId }) => parentSessionId)).toEqual([null, null, null])
    await agent.ask('four', { session: 'chain' })
    expect(runner.calls[3]?.parentSessionId).toBe(runner.calls[2]?.sessionId)
  })
})
