/** The agents in memory: only those that are used, and those only as long as something needs them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { agentKind } from '../../../src/actors/agent/machine.ts'
import type { AgentRef } from '../../../src/actors/agent/ref.ts'
import { foldAt } from '../../../src/actors/engine/fold-at.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../../src/orchestrator-options.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { ECHO, until } from '../world.ts'

/** An orchestrator, and the streams of the actors that are in memory, by what XState tells inspectors. */
async function opened(options: OrchestratorOptions = {}, script: ScriptedRunnerOptions = {}) {
  const clock = virtualClock()
  const store = options.store ?? memoryStore({ clock })
  const runner = scriptedRunner({ clock, ...script })
  const living = new Map<
    string,
    { getSnapshot(): unknown; subscribe(observer: { complete(): void }): unknown }
  >()
  const orchestrator = await Orchestrator.open({
    runner,
    clock,
    // Whose runner sweeps has the directory alone.
    baseDir: await temporaryDirectory(),
    ...options,
    store: { ...store, [Symbol.asyncDispose]: async () => {} },
    inspect: ({ type, actorRef }) => {
      const actor = actorRef as never as { id: string } & (typeof living extends Map<string, infer A>
        ? A
        : never)
      if (type !== '@xstate.actor' || !actor.id.startsWith('agent/')) return
      living.set(actor.id, actor)
      queueMicrotask(() =>
        actor.subscribe({ complete: () => living.get(actor.id) === actor && living.delete(actor.id) }),
      )
    },
  })
  return { orchestrator, clock, store, runner, living: () => [...living.keys()] }
}

/** A log in which agents were left at work. */
async function leftAtWork(count: number) {
  const before = await opened({}, { reply: () => ({ delayMs: 1e9 }) })
  for (let index = 0; index < count; index++) {
    const agent = await before.orchestrator.createAgent({ ...ECHO, id: `busy-${index}` })
    agent.ask('work', { taskId: `t-${index}` }).catch(() => {})
  }
  await before.orchestrator.createAgent(ECHO)
  await until(() => before.runner.calls.length === count)
  const calls = before.runner.calls.map(({ callId }) => callId)
  await before.orchestrator.close()
  return { store: before.store, calls }
}

describe('Opening a log in which agents were left at work', () => {
  test('on demand keeps none of them in memory: the sweep and lists know them by their summaries', async () => {
    const { store, calls } = await leftAtWork(20)
    const kept: (readonly string[])[] = []
    const runner = {
      ...scriptedRunner(),
      sweep: async ({ keep }: { readonly keep: readonly string[] }) => kept.push(keep) * 0,
    }
    const { orchestrator, living } = await opened({ store, resume: 'on-demand', runner })
    await using _ = orchestrator
    expect((await orchestrator.agents()).length).toBe(21)
    expect(await (await orchestrator.agent('echo')).ask('hello')).toMatchObject({ text: 'echo: hello' })
    expect(kept.map((calls) => calls.toSorted())).toEqual([calls.toSorted()])
    expect(living()).toEqual(['agent/echo'])
  })

  test('of an older version: a summary that names no call is made up for from the facts', async () => {
    const { store, calls } = await leftAtWork(3)
    const kept: string[] = []
    const runner = {
      ...scriptedRunner(),
      sweep: async ({ keep }: { readonly keep: readonly string[] }) => kept.push(...keep) * 0,
    }
    const old = {
      ...store,
      async *streams(...given: Parameters<typeof store.streams>) {
        for await (const { summary, ...head } of store.streams(...given)) {
          const { call: _, ...info } = summary?.info ?? {}
          yield { ...head, summary: summary && { ...summary, info } }
        }
      },
    }
    const { orchestrator, living } = await opened({ store: old, resume: 'on-demand', runner })
    await using _ = orchestrator
    await (await orchestrator.agent('echo')).ask('hello')
    expect(kept.toSorted()).toEqual(calls.toSorted())
    expect(living()).toEqual(['agent/echo'])
  })
})

describe('An agent that has nothing to do', () => {
  test('leaves memory after a quiet time, and its handle goes on working', async () => {
    const { orchestrator, clock, living, runner } = await opened()
    await using _ = orchestrator
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('one')
    const before = agent.metrics()
    await clock.advance(299_999)
    expect(living()).toEqual(['agent/echo'])
    await clock.advance(2)
    expect(living()).toEqual([])
    expect([agent.status, agent.version]).toEqual(['idle', 4])
    expect(agent.metrics()).toMatchObject({ totalInteractions: before.totalInteractions })
    expect((await agent.ask('two')).text).toBe('echo: two')
    expect(living()).toEqual(['agent/echo'])
    // It is the same conversation.
    expect(runner.calls[1]?.parentSessionId).toBe(runner.calls[0]?.sessionId)
    await clock.advance(300_001)
    expect(living()).toEqual([])
    // There is one handle of an agent, as long as it is held.
    expect(await orchestrator.agent('echo')).toBe(agent)
  })

  test('is one of at most so many in memory: 2,000 that were used leave those used last', async () => {
    const { orchestrator, living } = await opened({ limits: { agentsInMemory: 50 }, maxAgents: 2_000 })
    await using _ = orchestrator
    let most = 0
    const agents: AgentRef[] = []
    for (let index = 0; index < 2_000; index++) {
      const agent = await orchestrator.createAgent({ ...ECHO, id: `a${index}` })
      if (index % 20 === 0) await agent.ask('hello')
      if (index % 100 === 0) agents.push(agent)
      most = Math.max(most, living().length)
    }
    expect(most).toBeLessThanOrEqual(52)
    expect(living()).toContain('agent/a1999')
    const texts = await Promise.all(agents.map(async (agent) => (await agent.ask('again')).text))
    expect(new Set(texts)).toEqual(new Set(['echo: again']))
    await until(() => living().length <= 50)
  })

  test.each([
    ['a task at work', async (agent: AgentRef) => void agent.ask('slow').catch(() => {})],
    [
      'a task that waits for approval',
      async (agent: AgentRef) => void agent.ask('x', { approval: true }).catch(() => {}),
    ],
    ['a subscriber to its machine', async (agent: AgentRef) => void agent.machine.subscribe(() => {})],
  ])('stays in memory with %s', async (_, occupy) => {
    const { orchestrator, clock, living } = await opened(
      {},
      { reply: () => ({ text: 'ok', delayMs: 1_000_000 }) },
    )
    await using __ = orchestrator
    const agent = await orchestrator.createAgent(ECHO)
    await occupy(agent)
    await clock.advance(700_000)
    expect(living()).toEqual(['agent/echo'])
  })

  test('stays in memory while it is supervised', async () => {
    const { orchestrator, clock, living } = await opened()
    await using _ = orchestrator
    await orchestrator.createAgent(ECHO)
    const top = await orchestrator.supervise({ id: 'top', children: [{ agent: 'echo' }] })
    await clock.advance(700_000)
    expect(living()).toEqual(['agent/echo'])
    await top.stop()
  })

  test('loses nothing by leaving memory, whenever it does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('ask', 'ask by name', 'wait', 'accept', 'stop and reset'), {
          maxLength: 12,
        }),
        async (script) => {
          const { orchestrator, clock, store, runner } = await opened({ limits: { agentsInMemory: 1 } })
          await using _ = orchestrator
          const agent = await orchestrator.createAgent(ECHO)
          await orchestrator.createAgent({ ...ECHO, id: 'other' })
          let asked = 0
          for (const what of script) {
            if (what === 'ask') asked += Number((await agent.ask('go')).text === 'echo: go')
            if (what === 'ask by name')
              asked += Number((await orchestrator.sendTask('echo', 'go')) === 'echo: go')
            if (what === 'accept')
              asked += Number((await agent.reply(await agent.accept('go'))).text === 'echo: go')
            if (what === 'wait') await clock.advance(300_001)
            if (what === 'stop and reset') await agent.stop().then(() => agent.reset())
            await orchestrator.agent('other')
          }
          expect(runner.calls.length).toBe(asked)
          const { version, state } = await foldAt(agentKind, store, 'agent/echo')
          expect(agent.version).toBe(version)
          expect(agent.snapshot.context).toEqual(state.context)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('its closed orchestrator refuses its tasks', async () => {
    const { orchestrator, clock } = await opened()
    const agent = await orchestrator.createAgent(ECHO)
    await clock.advance(300_001)
    await orchestrator.close()
    await expect(agent.ask('late')).rejects.toMatchObject({ _tag: 'ClosedError' })
  })
})

describe('A task', () => {
  test('is accepted apart from its reply: it is durable, and its reply is asked for by its id', async () => {
    const { orchestrator, clock, store } = await opened(
      {},
      { reply: () => ({ text: 'done', delayMs: 1000 }) },
    )
    await using _ = orchestrator
    const agent = await orchestrator.createAgent(ECHO)
    const taskId = await agent.accept('slow', { taskId: 'mine' })
    expect(taskId).toBe('mine')
    expect(await store.head('agent/echo')).toBeGreaterThanOrEqual(2)
    const reply = agent.reply(taskId)
    await clock.advance(1000)
    expect((await reply).text).toBe('done')
    expect(await agent.accept('slow', { taskId: 'mine' })).toBe('mine')
    await agent.stop()
    await expect(agent.accept('more')).rejects.toMatchObject({ _tag: 'AgentStoppedError' })
  })
})

describe('The handle of an agent that was removed', () => {
  test('stands for no other one of its id, even if a task is given to it', async () => {
    const { orchestrator } = await opened()
    const old = await orchestrator.createAgent(ECHO)
    await orchestrator.removeAgent(ECHO.id)
    await expect(old.ask('too late')).rejects.toMatchObject({ _tag: 'ClosedError' })
    const next = await orchestrator.createAgent(ECHO)
    await expect(old.ask('too late')).rejects.toMatchObject({ _tag: 'ClosedError' })
    expect(await orchestrator.agent(ECHO.id)).toBe(next)
    expect((await next.ask('hello')).text).toContain('hello')
  })
})

test('An agent that is looked for while it is created has one handle', async () => {
  const { orchestrator } = await opened()
  for (let round = 0; round < 20; round++) {
    const id = `a${round}`
    const creating = orchestrator.createAgent({ ...ECHO, id })
    let found: AgentRef | undefined
    while (!found) found = await orchestrator.agent(id).catch(() => undefined)
    expect(found).toBe(await creating)
  }
})
