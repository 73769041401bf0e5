/** How often a step of a run and an ask write to the log. */
import { expect, test } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { MortalStore } from '../../../src/testing/mortal-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'

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
