/** How often a step of a run and an ask write to the log. */
import { expect, test } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { type OpenDatabase, openLevel } from '../../../src/store/level/database.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { MortalStore } from '../../../src/testing/mortal-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../../store/temporary.ts'

/** Agents that have just been created, and what is written after that. */
async function working(agents: readonly string[], slots = 100, account?: () => string) {
  const mortal = new MortalStore(memoryStore())
  const limits = { callsInFlight: slots }
  const runner = { ...scriptedRunner(), ...(account && { account }) }
  const orchestrator = await Orchestrator.open({ store: mortal.store, runner, limits })
  for (const id of agents) await orchestrator.createAgent({ id, systemPrompt: 'x' })
  const before = mortal.appends.length
  return { orchestrator, store: mortal.store, written: () => mortal.appends.slice(before) }
}

test('A step of a run writes twice: when it begins, and when it is answered', async () => {
  const { orchestrator, written } = await working(['a', 'b'])
  await orchestrator.run(sequential(['a', 'b']), 'go', { id: 'r' })
  const step = (agent: string) => [
    `StepScheduled of run/r, TaskAccepted and CallStarted of agent/${agent}`,
    `CallSucceeded of agent/${agent}, StepSucceeded of run/r`,
  ]
  expect(written()).toEqual(['RunStarted of run/r', ...step('a'), ...step('b'), 'RunSucceeded of run/r'])
  await orchestrator.close()
})

test('An ask outside a run writes twice, also the first one of a process', async () => {
  const { orchestrator, written } = await working(['a'], 100, () => 'acme')
  await orchestrator.sendTask('a', 'hello')
  expect(written()).toEqual(['TaskAccepted and CallStarted of agent/a', 'CallSucceeded of agent/a'])
  await orchestrator.close()
})

test('Steps that begin or are answered at the same time share their appends', async () => {
  const agents = Array.from({ length: 20 }, (_, index) => `a${index}`)
  const { orchestrator, written } = await working(agents)
  await orchestrator.run(parallel(agents), 'go', { id: 'r' })
  expect(written().length).toBeLessThan(10)
  await orchestrator.close()
})

test('A call that cannot begin at once is announced alone, when it can', async () => {
  const { orchestrator, written, store } = await working(['a', 'b'], 1)
  await orchestrator.run(parallel(['a', 'b']), 'go', { id: 'r' })
  expect(written()).toContain('TaskAccepted of agent/b')
  expect(written()).toContain('CallStarted of agent/b')
  const causes = new Map<string, string | null>()
  const types = new Map<string, string>()
  for await (const { id, type, stream, causationId } of store.readAll()) {
    types.set(id, `${type} of ${stream}`)
    causes.set(`${type} of ${stream}`, types.get(causationId ?? '') ?? null)
  }
  for (const agent of ['agent/a', 'agent/b']) {
    expect(causes.get(`CallStarted of ${agent}`)).toBe(`TaskAccepted of ${agent}`)
    expect(causes.get(`TaskAccepted of ${agent}`)).toBe('StepScheduled of run/r')
    expect(causes.get(`CallSucceeded of ${agent}`)).toBe(`CallStarted of ${agent}`)
  }
  expect(causes.get('StepSucceeded of run/r')).toMatch(/^CallSucceeded of agent/)
  await orchestrator.close()
})

/** A store on LevelDB, and the reads that it has asked LevelDB for. */
async function observedStore() {
  const reads: string[] = []
  const openDatabase: OpenDatabase = async (path, options) => {
    const database = await openLevel(path, options)
    for (const method of ['get', 'getMany', 'keys'] as const) {
      const read = database[method].bind(database) as (...given: unknown[]) => unknown
      const heard = (...given: unknown[]) => {
        reads.push(method)
        return read(...given)
      }
      Object.assign(database, { [method]: heard })
    }
    return database
  }
  const store = await levelStore(await temporaryDirectory(), { openDatabase })
  return { store, reads }
}

test('Under ids that are new, an ask reads nothing from LevelDB, and a run only that its stream is not there', async () => {
  const { store, reads } = await observedStore()
  await using orchestrator = await Orchestrator.open({ store, runner: scriptedRunner() })
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  reads.length = 0
  const { taskId } = await agent.ask('hello')
  expect(reads).toEqual([])
  await orchestrator.run(sequential(['a', 'a']), 'go')
  expect(reads).toEqual(['get', 'keys'])
  await agent.ask('hello', { taskId })
  expect(reads).toContain('getMany')
})

/** A store that loses its answer to the first append with a fact of this type: it was written, and nobody was told. */
function forgetful(type: string): EventStore {
  const store = memoryStore()
  let isLost = false
  const told = <Told>(answer: Told, recorded: readonly Recorded[]): Told => {
    if (isLost || !recorded.some((fact) => fact.type === type)) return answer
    isLost = true
    throw new Error('connection lost')
  }
  return {
    ...store,
    append: async (...given) => store.append(...given).then((recorded) => told(recorded, recorded)),
    appendAll: async (given) => store.appendAll(given).then((recorded) => told(recorded, recorded.flat())),
  }
}

test.each(['StepScheduled', 'CallSucceeded'])(
  'An append of %s that was written and not acknowledged counts once, and the run continues',
  async (type) => {
    let calls = 0
    const runner = scriptedRunner({ reply: () => ({ text: `answer ${++calls}`, costUsd: 0.5 }) })
    await using orchestrator = await Orchestrator.open({ store: forgetful(type), runner })
    for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: 'x' })
    const { success, finalOutput } = await orchestrator
      .run(sequential(['a', 'b']), 'go', { id: 'r' })
      .then((result) => ({ ...result, ...result.metadata }))
    const { steps, done, costUsd } = await orchestrator.runs.show('r')
    expect({ success, finalOutput, calls, steps, done, costUsd }).toEqual({
      ...{ success: true, finalOutput: 'answer 2', calls: 2, steps: 2, done: 2, costUsd: 1 },
    })
  },
  10_000,
)
