/** What is done with one agent costs the same among ten agents and among ten thousand: counted in summaries that are read. */
import { describe, expect, test } from 'vitest'
import { agentFacts } from '../../../src/events/agent-facts.ts'
import { agentConfig } from '../../../src/events/options/agent.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { pool } from '../../../src/patterns/pool.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { ECHO } from '../world.ts'

const STORES = {
  'in memory': async () => memoryStore(),
  'on LevelDB': async (): Promise<EventStore> => levelStore(await temporaryDirectory()),
}

/** A store with agents that nobody uses, and how many summaries are read from it. */
async function storeWith(agents: number, store: EventStore) {
  const created = agentFacts.write({ type: 'AgentCreated', data: { config: agentConfig(ECHO) } })
  const summary = { status: 'idle', open: false, info: {} }
  const fact = { ...created, correlationId: null, causationId: null }
  await Promise.all(
    Array.from({ length: agents }, (_, index) =>
      store.append(`agent/idle_${String(index).padStart(5, '0')}`, [fact], { summary }),
    ),
  )
  let visited = 0
  const streams: EventStore['streams'] = async function* (options) {
    for await (const head of store.streams(options)) {
      visited += 1
      yield head
    }
  }
  const counted = new Proxy(store, {
    get: (target, name) => (name === 'streams' ? streams : Reflect.get(target, name, target)),
  })
  const take = () => {
    const before = visited
    visited = 0
    return before
  }
  return { counted, take }
}

async function visitedBy(agents: number, store: EventStore) {
  const { counted, take } = await storeWith(agents, store)
  await using orchestrator = await Orchestrator.open({
    store: counted,
    runner: scriptedRunner(),
    maxAgents: 1e6,
  })
  const visited: Record<string, number | undefined> = {}
  const count = async (what: string, work: () => Promise<unknown>) => {
    take()
    await work()
    visited[what] = take()
  }
  await count('create', () => orchestrator.createAgent({ ...ECHO, id: 'first' }))
  await count('ask', () => orchestrator.sendTask('first', 'x'))
  await count('pool', async () =>
    orchestrator.run(parallel([pool('first', { size: 4 }) as never]), 'x').then(),
  )
  await count('held', () => orchestrator.held.list())
  await count('remove', () => orchestrator.removeAgent('first'))
  await count('create again', () => orchestrator.createAgent({ ...ECHO, id: 'first' }))
  return visited
}

describe.each(Object.entries(STORES))('Among 3,000 agents %s', (_, open) => {
  test('creating, asking, pooling and removing one read as many summaries as among 10', async () => {
    expect(await visitedBy(3000, await open())).toEqual(await visitedBy(10, await open()))
  })

  test('a typo names the agent that was meant, and reads few summaries', async () => {
    const { counted, take } = await storeWith(3000, await open())
    await using orchestrator = await Orchestrator.open({ store: counted, runner: scriptedRunner() })
    take()
    for (const [typo, meant] of [
      ['idle_02041x', 'idle_02041'],
      ['idel_02041', null],
      ['idle_020411', 'idle_02041'],
      ['elephant', null],
    ] as const) {
      await expect(orchestrator.agent(typo)).rejects.toMatchObject({ details: { nearest: meant } })
      expect(take()).toBeLessThanOrEqual(1100)
    }
  })
})

test('The limit of agents holds across restarts, removals and indexes of older versions', async () => {
  const directory = await temporaryDirectory()
  const open = () =>
    Orchestrator.open({ baseDir: directory, serve: false, runner: scriptedRunner(), maxAgents: 3 })
  {
    await using orchestrator = await open()
    for (const id of ['a', 'b', 'c']) await orchestrator.createAgent({ ...ECHO, id })
    await expect(orchestrator.createAgent({ ...ECHO, id: 'd' })).rejects.toThrow('limit of 3 agents')
    await orchestrator.removeAgent('b')
    await orchestrator.createAgent({ ...ECHO, id: 'd' })
  }
  {
    await using orchestrator = await open()
    await expect(orchestrator.createAgent({ ...ECHO, id: 'e' })).rejects.toThrow('limit of 3 agents')
    await orchestrator.removeAgent('a')
  }
  await using orchestrator = await open()
  await orchestrator.createAgent({ ...ECHO, id: 'e' })
  await expect(orchestrator.createAgent({ ...ECHO, id: 'f' })).rejects.toThrow('limit of 3 agents')
})
