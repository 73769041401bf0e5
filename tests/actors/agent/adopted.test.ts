/** An agent that adopted a session: what its calls continue, and what becomes of it when the session is lost. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TakenTurns } from '../../../src/claude/runner.ts'
import { SessionNotFoundError } from '../../../src/events/errors/call.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { until, world } from '../world.ts'

const SESSION = '11111111-1111-4111-8111-111111111111'

async function adopted(script: ScriptedRunnerOptions = {}) {
  const { open, directory, store, clock } = await world()
  const file = join(directory, `${SESSION}.jsonl`)
  const fixtures = join(import.meta.dirname, '../../claude/fixtures/transcripts')
  await copyFile(join(fixtures, '2.1.330-answered.jsonl'), file)
  const runner = { ...scriptedRunner({ clock, ...script }), adopt: async () => {} }
  const { orchestrator } = await open({}, { runner })
  const agent = await orchestrator.adopt(file, { id: 'heir', systemPrompt: 'You help.' })
  return { orchestrator, agent, runner, store }
}

test('forks the session with its first task, and its chain and that of its forks begin there', async () => {
  const { orchestrator, agent, runner } = await adopted()
  expect(agent.snapshot).toMatchObject({ value: 'idle', context: { session: SESSION } })
  await agent.ask('one')
  expect(runner.calls.map(({ parentSessionId }) => parentSessionId)).toEqual([SESSION])
  const first = { sessionId: SESSION, parentSessionId: null, taskId: null, rebuilt: false }
  expect(await agent.sessions()).toEqual([first, expect.objectContaining({ parentSessionId: SESSION })])
  const fork = await orchestrator.fork('heir', { at: 2, as: 'fork' })
  expect(await fork.sessions()).toEqual([first])
  await fork.ask('another')
  expect(runner.calls.at(-1)?.parentSessionId).toBe(SESSION)
})

test('whose session is lost is told how many turns are missing, and so is the log', async () => {
  const { agent, runner, store } = await adopted({
    reply: ({ parentSessionId }) => (parentSessionId === SESSION ? new SessionNotFoundError() : 'heard'),
  })
  expect(await agent.ask('Who am I?')).toMatchObject({ text: 'heard', attempts: 2 })
  expect(runner.calls.at(-1)?.prompt).toMatch(/\(1 earlier turn is left out\).*Who am I\?$/s)
  const cuts: unknown[] = []
  for await (const { type, data } of store.read('agent/heir'))
    if (type === 'ConversationCut') cuts.push(data.turns)
  expect(cuts).toEqual([1])
})

const usage = { inputTokens: 10, outputTokens: 5, cacheReadTokens: 0, cacheCreationTokens: 0 }
const talk: TakenTurns = { turns: 2, spent: { costUsd: 0.5, usage, estimated: true } }

/** An agent with a budget, and a person who talks to it. */
async function talkedTo(script: ScriptedRunnerOptions = {}) {
  const { open, store, clock, types } = await world()
  const runner = { ...scriptedRunner({ clock, ...script }), take: async () => talk }
  const { orchestrator } = await open({}, { runner })
  const options = { id: 'echo', systemPrompt: 'You help.', budget: { usd: 3 } }
  const agent = await orchestrator.createAgent(options)
  await agent.ask('one')
  const opened = () => ({
    path: '/talk.jsonl',
    sessionId: SESSION,
    parentSessionId: agent.snapshot.context.session,
  })
  return { orchestrator, agent, runner, store, types, opened }
}

test('continues from what was said in a terminal, and budgets count what that cost', async () => {
  const { agent, runner, orchestrator, store, opened } = await talkedTo()
  const before = await agent.budget()
  const fork = opened()
  expect(await agent.take(fork, { by: 'ada' })).toEqual(talk)
  const after = await agent.budget()
  expect(after.spent.usd - before.spent.usd).toBeCloseTo(0.5)
  expect(after.reserved).toEqual({ usd: 0, tokens: 0 })
  expect(agent.metrics().estimatedCostUsd).toBe(0.5)
  await agent.ask('two')
  expect(runner.calls.at(-1)?.parentSessionId).toBe(SESSION)
  const links = await agent.sessions()
  expect(links[1]).toEqual({ ...fork, path: undefined, taskId: null, rebuilt: false })
  const taken: unknown[] = []
  for await (const { type, data } of store.read('agent/echo')) if (type === 'SessionAdopted') taken.push(data)
  await orchestrator.close()
  const settled: unknown[] = []
  for await (const { type, data } of store.read('agent-budget/echo'))
    if (type === 'BudgetSettled') settled.push(data)
  expect(settled).toMatchObject([{}, { usd: 0.5, outcome: 'estimated' }, {}])
  expect(taken).toMatchObject([{ sessionId: SESSION, turns: 2, by: 'ada', costUsd: 0.5, estimated: true }])
})

test('that answered meanwhile, or is about to, takes nothing back, and says how to keep both', async () => {
  let answerNow = (_: string) => {}
  const { agent, types, opened } = await talkedTo({
    reply: ({ prompt }) =>
      prompt === 'one' ? 'answered' : new Promise<string>((resolve) => (answerNow = resolve)),
  })
  const fork = opened()
  const task = agent.ask('two')
  await until(() => agent.status === 'busy')
  await expect(agent.take(fork)).rejects.toThrow(/is working on a task.*agent adopt \/talk\.jsonl --as NEW/)
  answerNow('answered')
  await task
  await expect(agent.take(fork)).rejects.toThrow(/has moved on meanwhile.*agent adopt \/talk\.jsonl --as NEW/)
  expect(await types('echo')).not.toContain('SessionAdopted')
  expect((await agent.budget()).reserved).toEqual({ usd: 0, tokens: 0 })
})

test('of an agent that was removed meanwhile is taken by none', async () => {
  const { open, types } = await world()
  const { orchestrator } = await open({}, { runner: { ...scriptedRunner(), take: async () => talk } })
  const agent = await orchestrator.createAgent({ id: 'echo', systemPrompt: 'You help.' })
  await orchestrator.removeAgent('echo')
  const fork = { path: '/talk.jsonl', sessionId: SESSION, parentSessionId: null }
  await expect(agent.take(fork)).rejects.toMatchObject({ _tag: 'AgentNotFoundError' })
  expect((await types('echo')).at(-1)).toBe('AgentRemoved')
})
