/**
 * What follows from a rejected login and from a lost session, as a user sees it: the real `claude`, a simulated
 * model.
 */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { type SimulatedModel, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'
import { commandLine } from '../cli/command.ts'
import { everyCase } from '../repetitions.ts'

const said = (conversation: readonly (readonly [string, string])[]) =>
  conversation.map(([, text]) => text).join('\n')

test('a rejected key: one request, the task failed, the agent in error, and how to log in', async () => {
  await using model = await simulatedModel({ reply: () => answer.failure(401) })
  const cli = await commandLine(model.environment)
  await cli.run(['agent', 'create', 'a', 'You are a test.'])
  const { exitCode, stderr } = await cli.run(['agent', 'ask', 'a', 'Who are you?'])
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/claude is not logged in, or its login was rejected.*\n.*Log in .*ANTHROPIC_API_KEY/)
  expect(model.requestCount).toBe(1)
  const [shown] = (await cli.run(['agent', 'show', 'a', '--json'])).values
  expect(shown).toMatchObject({ status: 'error', failure: { code: 'AuthenticationError' } })
})

/** A store, and agents that the real `claude` answers. */
async function opened(model: SimulatedModel) {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const open = (baseDir: string) =>
    Orchestrator.open({ baseDir, runner: claudeCli({ path: REAL_CLAUDE, environment: model.environment }) })
  return { baseDir: join(folder, 'base'), elsewhere: join(folder, 'elsewhere'), open }
}

test('a transcript that was deleted between two turns: the next ask contains the first turn’s words', async () => {
  await using model = await simulatedModel({
    reply: ['Ada, I will keep that in mind.', 'You are Ada.', 'Yes.'],
  })
  const { baseDir, open } = await opened(model)
  await using orchestrator = await open(baseDir)
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a test.' })
  await agent.ask('My name is Ada.')
  const home = join(baseDir, 'agents/a/home')
  const transcripts = (await readdir(home, { recursive: true })).filter((file) => file.endsWith('.jsonl'))
  for (const file of transcripts) await rm(join(home, file))
  expect(transcripts.length).toBeGreaterThan(0)

  expect((await agent.ask('Who am I?')).text).toBe('You are Ada.')
  const request = said(model.requests[1]?.conversation ?? [])
  expect(request).toContain('My name is Ada.')
  expect(request).toContain('Ada, I will keep that in mind.')
  expect(request.trim().endsWith('Who am I?')).toBe(true)
  expect((await agent.sessions()).map(({ rebuilt }) => rebuilt)).toEqual([false, true])

  // From here on, the conversation continues in the rebuilt session.
  await agent.ask('Are you sure?')
  expect(model.requests[2]?.conversation.map(([role]) => role)).toEqual(['user', 'assistant', 'user'])
  expect(said(model.requests[2]?.conversation ?? [])).toContain('My name is Ada.')
})

test.runIf(everyCase)(
  'a base directory that was moved: the next ask contains the first turn’s words',
  async () => {
    await using model = await simulatedModel({ reply: ['Ada, I will keep that in mind.', 'You are Ada.'] })
    const { baseDir, elsewhere, open } = await opened(model)
    const first = await open(baseDir)
    const agent = await first.createAgent({ id: 'a', systemPrompt: 'You are a test.' })
    await agent.ask('My name is Ada.')
    await first.close()
    await rename(baseDir, elsewhere)
    await using orchestrator = await open(elsewhere)
    expect(await orchestrator.sendTask('a', 'Who am I?')).toBe('You are Ada.')
    expect(model.requestCount).toBe(2)
    expect(said(model.requests[1]?.conversation ?? [])).toContain('My name is Ada.')
  },
)
