/** An agent that adopted a session: what its calls continue, and what becomes of it when the session is lost. */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SessionNotFoundError } from '../../../src/events/errors/call.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { world } from '../world.ts'

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
