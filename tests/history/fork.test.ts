/** A fork continues from an earlier turn, and the original stays unchanged: with the real `claude`. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { causesOf } from '../../src/history/causes.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { ECHO } from '../actors/world.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'
import { temporaryDirectory } from '../store/temporary.ts'

/** All files below a directory, with their contents. */
async function contents(directory: string): Promise<Record<string, string>> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  return Object.fromEntries(
    await Promise.all(
      files.map(async (file) => [
        file,
        createHash('sha256')
          .update(await readFile(file))
          .digest('hex'),
      ]),
    ),
  )
}

test('an agent forked at an earlier turn sends the model exactly the history up to it, and the original keeps its own', async () => {
  await using model = await simulatedModel({
    reply: (request) => `Re: ${request.conversation.at(-1)?.[1].trim()}`,
  })
  const baseDir = await temporaryDirectory()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  await using orchestrator = await Orchestrator.open({ baseDir, runner })
  const agent = await orchestrator.createAgent(ECHO)
  const versions: number[] = []
  for (const prompt of ['one', 'two', 'three']) {
    await agent.ask(prompt)
    versions.push(agent.version)
  }
  const facts = async () => {
    const all: unknown[] = []
    for await (const recorded of orchestrator.history.log({ stream: 'agent/echo' })) all.push(recorded)
    return all
  }
  const home = join(baseDir, 'agents/echo')
  const before = { facts: await facts(), files: await contents(home) }
  // Its own transcript is gone by now: the last turn's transcript contains it.
  const fork = await orchestrator.fork('echo', { at: versions[0] ?? 0, as: 'other' })
  expect(await fork.ask('another way')).toMatchObject({ text: 'Re: another way', attempts: 1 })
  const heard = () => model.requests.at(-1)?.conversation.map(([, text]) => text.trim())
  expect(heard()).toEqual(['one', 'Re: one', 'another way'])
  expect(await facts()).toEqual(before.facts)
  expect(await contents(home)).toEqual(before.files)

  // A fork of the fork, at the turn that both share; and the original continues with its whole history.
  expect(await fork.sessions()).toHaveLength(2)
  const third = await orchestrator.fork('other', { at: 1, as: 'third' })
  await third.ask('a third way')
  expect(heard()).toEqual(['one', 'Re: one', 'a third way'])
  await agent.ask('four')
  expect(heard()).toEqual(['one', 'Re: one', 'two', 'Re: two', 'three', 'Re: three', 'four'])
  const created = (await causesOf(orchestrator.store, before.facts.length + 1)).map(({ fact }) => fact)
  expect(created[0]).toMatchObject({
    stream: 'agent/other',
    data: { forkedFrom: { agent: 'echo', version: versions[0], sessionId: expect.any(String) } },
  })
  expect(created[1]).toMatchObject({ stream: 'agent/echo', version: versions[0] })
})

test('a fork takes over the configuration and the conversation, but no open tasks', async () => {
  const runner = scriptedRunner()
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner })
  const agent = await orchestrator.createAgent(ECHO)
  await agent.ask('one')
  const fork = await orchestrator.fork('echo', { as: 'now' })
  const { config, session } = agent.snapshot.context
  expect(fork.snapshot.context).toMatchObject({ config, session, current: null, queue: [] })
  expect(fork.metrics()).toMatchObject({ totalInteractions: 0, totalCostUsd: 0 })
  const early = await orchestrator.fork('echo', { at: 1, as: 'early' })
  expect(early.snapshot.context.session).toBeNull()
  await orchestrator.removeAgent('echo')
  await expect(orchestrator.fork('echo', { as: 'late' })).rejects.toMatchObject({ _tag: 'CannotForkError' })
  await expect(orchestrator.fork('echo', { at: 1, as: 'now' })).rejects.toMatchObject({
    _tag: 'AgentExistsError',
  })
  await expect(orchestrator.fork('ecko', { as: 'x' })).rejects.toMatchObject({ _tag: 'AgentNotFoundError' })
  await expect(orchestrator.fork('echo', { at: 99, as: 'x' })).rejects.toMatchObject({
    _tag: 'VersionNotFoundError',
  })
  await expect(orchestrator.fork('now', { as: '../x' })).rejects.toMatchObject({ _tag: 'InvalidIdError' })
})

test('a run forked at a step carries over the answers before it at no cost, and asks the rest again', async () => {
  const runner = scriptedRunner({ reply: ({ agent }) => ({ text: `by ${agent}`, costUsd: 1 }) })
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner })
  for (const id of ['a', 'b', 'c']) await orchestrator.createAgent({ id, systemPrompt: 'x' })
  const pattern = sequential(['a', 'b', 'c'])
  await orchestrator.run(pattern, 'go', { id: 'old' })
  const made = await orchestrator.runs.fork('old', { at: 3, as: 'new' })
  expect(made).toMatchObject({ runId: 'new', carried: [expect.any(String), expect.any(String)] })
  expect(await orchestrator.runs.show('new')).toMatchObject({
    status: 'paused',
    steps: 2,
    done: 2,
    costUsd: 0,
  })
  const calls = runner.calls.length
  expect(await orchestrator.runs.resume('new', pattern)).toMatchObject({
    success: true,
    metadata: { reused: 2 },
  })
  expect(runner.calls.slice(calls).map(({ agent }) => agent)).toEqual(['c'])
  const lines = await causesOf(orchestrator.store, await orchestrator.store.head())
  expect(new Set(lines.map(({ fact }) => fact.stream))).toEqual(
    new Set(['run/new', 'run/old', 'agent/a', 'agent/b', 'agent/c']),
  )
  const { taken } = await orchestrator.runs.show('old')
  expect(await orchestrator.runs.fork('old', { at: taken[1]?.stepKey ?? '' })).toMatchObject({
    carried: { length: 1 },
  })
  await expect(orchestrator.runs.fork('old', { at: 9 })).rejects.toMatchObject({ _tag: 'StepNotFoundError' })
  await expect(orchestrator.runs.fork('none', { at: 1 })).rejects.toMatchObject({ _tag: 'RunNotFoundError' })
  await expect(orchestrator.runs.fork('old', { at: 1, as: 'new' })).rejects.toMatchObject({
    _tag: 'CannotForkError',
  })
  expect((await orchestrator.history.verify()).ok).toBe(true)
})
