/** An agent in a directory of its own: its files are part of its turns, too. With real git. */
import { existsSync, mkdtempSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import type { AgentRunner } from '../../../src/claude/runner.ts'
import { systemClock } from '../../../src/clock.ts'
import { CliCrashedError, ModelNotFoundError } from '../../../src/events/errors/call.ts'
import { GitNotInstalled } from '../../../src/events/errors/workspace.ts'
import type { Logger } from '../../../src/logger.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../../src/orchestrator-options.ts'
import {
  type ScriptedAnswer,
  type ScriptedRunnerOptions,
  scriptedRunner,
} from '../../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../../src/workspaces/operations.ts'

type Work = (workspace: string, prompt: string, attempt: number) => Promise<ScriptedAnswer>

/** A call that ends only when it is aborted. */
const ENDLESS: ScriptedAnswer = { text: '', delayMs: 3_600_000 }

const RETRY = { attempts: 1, minDelayMs: 1, maxDelayMs: 1 }
const PATH = process.env.PATH

afterEach(() => void vi.unstubAllEnvs())

function world(work: Work, { recover }: Pick<ScriptedRunnerOptions, 'recover'> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'private-files-'))
  const baseDir = join(folder, 'base')
  const scripted = scriptedRunner({
    reply: ({ directories, prompt, attempt }) => work(directories.workspace, prompt, attempt),
    ...(recover && { recover }),
  })
  const runner: AgentRunner = { ...scripted, ...directoryOperations({ clock: systemClock }) }
  const open = (options: Partial<OrchestratorOptions> = {}) =>
    Orchestrator.open({ baseDir, runner, serve: false, agentDefaults: { retry: RETRY }, ...options })
  return { folder, baseDir, open, scripted }
}

const ROLE = { systemPrompt: 'You work.' }

const filesIn = async (directory: string) => (await readdir(directory)).sort().join(' ')

/** Makes a file that is named like the task. */
const touch: Work = async (workspace, prompt) => {
  await mkdir(workspace, { recursive: true })
  await writeFile(join(workspace, prompt), `${prompt}\n`)
  return 'done'
}

/** Tells what it finds, and fails at its first attempt. */
const failing: Work = async (workspace, prompt, attempt) => {
  const seen = await filesIn(workspace)
  await writeFile(join(workspace, `${prompt}-${attempt}`), '')
  if (attempt === 1) throw new CliCrashedError()
  return seen
}

async function factsOf(orchestrator: Orchestrator, agent: string) {
  const facts = []
  for await (const { type, data } of orchestrator.history.log({ stream: `agent/${agent}` }))
    facts.push({ type, data })
  return facts
}

/** From now on, each process of git leaves a line in a file. */
async function countedGit(folder: string) {
  const bin = join(folder, 'bin')
  const log = join(folder, 'git.log')
  await mkdir(bin)
  await writeFile(log, '')
  const script = `#!/bin/sh\necho x >> '${log}'\nPATH='${PATH}' exec git "$@"\n`
  await writeFile(join(bin, 'git'), script, { mode: 0o755 })
  vi.stubEnv('PATH', `${bin}${delimiter}${PATH}`)
  return async () => (await readFile(log, 'utf8')).length / 2
}

test('a turn in a directory of its own is saved, looked at, undone, and the undoing undone', async () => {
  const { open } = world(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  await agent.ask('one')
  await agent.ask('two')
  expect(await agent.files.diff({ turn: 2 })).toMatchObject({
    files: [{ path: 'two', status: 'added', added: 1, removed: 0 }],
  })
  expect((await agent.files.diff()).files.map(({ path }) => path)).toEqual(['one', 'two'])
  expect((await agent.files.list()).map(({ path }) => path)).toEqual(['one', 'two'])
  expect(await agent.files.patch({ turn: 1 })).toContain('+one')
  await agent.files.undo()
  expect(await filesIn(agent.workspace)).toBe('one')
  await agent.files.undo()
  expect(await filesIn(agent.workspace)).toBe('')
  await agent.files.undo({ to: 2 })
  expect(await filesIn(agent.workspace)).toBe('one two')
})

test('a call that failed leaves nothing for the next one, not even where there was nothing', async () => {
  const { open } = world(failing)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  expect((await agent.ask('a')).text).toBe('')
  expect((await agent.ask('b')).text).toBe('a-2')
  const restored = (await factsOf(orchestrator, 'dev')).filter(({ type }) => type === 'FilesRestored')
  // What it did is in a snapshot.
  const left = await Promise.all(
    restored.map(({ data }) => agent.files.diff({ since: String(data.from) }).then(({ files }) => files)),
  )
  expect(left[0]).toContainEqual({ path: 'a-1', status: 'removed', added: 0, removed: 0 })
  expect(left[1]).toContainEqual({ path: 'b-1', status: 'removed', added: 0, removed: 0 })
})

test('a call whose outcome is unknown after a crash leaves nothing for the next one', async () => {
  const lost = () => ({ outcome: 'unanswered' }) as const
  const { open } = world(
    async (workspace, _, attempt) => {
      const seen = await filesIn(workspace)
      await writeFile(join(workspace, `attempt-${attempt}`), '')
      return attempt === 1 ? ENDLESS : seen
    },
    { recover: lost },
  )
  const first = await open()
  const agent = await first.createAgent({ id: 'dev', ...ROLE })
  await agent.accept('go', { taskId: 'the-task' })
  agent.start()
  await expect.poll(() => existsSync(join(agent.workspace, 'attempt-1'))).toBe(true)
  // As after a crash: how the call ended is not in the log.
  await first.close()
  expect(await filesIn(agent.workspace)).toBe('attempt-1')
  await using orchestrator = await open()
  const again = await orchestrator.agent('dev')
  expect((await again.reply('the-task')).text).toBe('')
  expect(await filesIn(again.workspace)).toBe('attempt-2')
})

test('what a user puts there by hand stays, whatever becomes of the calls before and after', async () => {
  const { open } = world(async (workspace, prompt, attempt) => {
    await failing(workspace, prompt, attempt)
    throw new ModelNotFoundError()
  })
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  await mkdir(agent.workspace, { recursive: true })
  for (const name of ['one', 'two', 'three']) {
    await expect(agent.ask(name)).rejects.toThrow()
    // At once, and not only when the next call begins.
    expect(await filesIn(agent.workspace)).not.toContain('-')
    await writeFile(join(agent.workspace, name), 'by hand')
  }
  await expect(agent.ask('four')).rejects.toThrow()
  expect(await filesIn(agent.workspace)).toBe('one three two')
})

test('a task that is cancelled takes back what it did', async () => {
  const { open } = world(async (workspace) => {
    await writeFile(join(workspace, 'half'), '')
    return ENDLESS
  })
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  const handle = agent.ask('go', { taskId: 'the-task' })
  await expect.poll(() => filesIn(agent.workspace)).toBe('half')
  await agent.cancel('the-task', 'no longer wanted')
  await expect(handle).rejects.toThrow()
  await expect.poll(() => filesIn(agent.workspace)).toBe('')
})

test('where there is nothing, nothing is saved: no process of git and no fact', async () => {
  const { folder, open } = world(async (_, prompt, attempt) => {
    if (attempt === 1 && prompt === 'fail') throw new CliCrashedError()
    return 'done'
  })
  const processes = await countedGit(folder)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  for (const prompt of ['one', 'fail', 'two']) await agent.ask(prompt)
  await orchestrator.fork('dev', { as: 'other' })
  await orchestrator.removeAgent('other')
  const types = new Set((await factsOf(orchestrator, 'dev')).map(({ type }) => type))
  expect([...types].filter((type) => type.startsWith('Files'))).toEqual([])
  expect(await processes()).toBe(0)
})

test('an agent that empties its workspace costs no process of git from then on', async () => {
  const { folder, open } = world(async (workspace, prompt) => {
    if (prompt === 'write') await writeFile(join(workspace, 'a'), '')
    if (prompt === 'remove') await rm(join(workspace, 'a'))
    return 'done'
  })
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  for (const prompt of ['write', 'remove']) await agent.ask(prompt)
  const processes = await countedGit(folder)
  await agent.ask('rest')
  expect(await processes()).toBe(0)
})

test('without git, an agent in a directory of its own works all the same, and that is said once', async () => {
  const { folder, baseDir } = world(touch)
  const said: string[] = []
  const note: Logger['warn'] = (_, message) => void said.push(message)
  const logger: Logger = { debug() {}, info() {}, warn: note, error: note }
  const scripted = scriptedRunner({
    reply: ({ directories, prompt, attempt }) => failing(directories.workspace, prompt, attempt),
  })
  await using orchestrator = await Orchestrator.open({
    baseDir,
    logger,
    runner: { ...scripted, ...directoryOperations({ clock: systemClock }) },
    serve: false,
    agentDefaults: { retry: RETRY },
  })
  vi.stubEnv('PATH', join(folder, 'nothing'))
  for (const id of ['dev', 'other']) {
    const agent = await orchestrator.createAgent({ id, ...ROLE })
    expect((await agent.ask('a')).text).toBe('a-1')
    expect((await agent.ask('b')).text).toBe('a-1 a-2 b-1')
    await expect(agent.files.diff()).rejects.toThrow(GitNotInstalled)
  }
  expect(said.filter((message) => message.includes('files'))).toEqual([
    'the files of agents are not kept: failed calls leave theirs, and nothing can be undone',
  ])
  await expect(
    orchestrator.createAgent({ id: 'third', ...ROLE, workspace: { repo: folder } }),
  ).rejects.toThrow(/not in a git repository|git is not installed/)
  await orchestrator.removeAgent('dev')
})

test('a fork takes the files of its version along', async () => {
  const { open } = world(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  await agent.ask('one')
  const at = agent.version
  await agent.ask('two')
  const fork = await orchestrator.fork('dev', { at, as: 'other' })
  expect(await filesIn(fork.workspace)).toBe('one')
  // Where it began is what it took along.
  expect((await fork.files.diff()).files).toEqual([])
  await fork.ask('three')
  expect((await fork.files.diff()).files).toMatchObject([{ path: 'three', status: 'added' }])
  await fork.files.undo({ to: 0 })
  expect(await filesIn(fork.workspace)).toBe('one')
  expect(await filesIn(agent.workspace)).toBe('one two')
})

test('a workspace that is gone is made again from the newest snapshot, before new inputs come', async () => {
  const { folder, open } = world(async (workspace, prompt) => {
    const seen = await filesIn(workspace)
    await writeFile(join(workspace, prompt), '')
    return seen
  })
  const input = join(folder, 'input.txt')
  await writeFile(input, 'an input')
  {
    await using orchestrator = await open()
    const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
    await agent.ask('one')
    await rm(join(agent.workspace, '..'), { recursive: true })
  }
  await using orchestrator = await open()
  const agent = await orchestrator.agent('dev')
  expect((await agent.ask({ prompt: 'two', files: [{ source: input }] })).text).toBe('input.txt one')
  // The inputs of a turn are there before it.
  expect((await agent.files.diff({ turn: 2 })).files).toMatchObject([{ path: 'two' }])
})

test.each([
  ['its workspace is gone, too', 'new'],
  ['its workspace is as it was in an earlier stay', 'new one'],
])('on a machine without its files (%s), the log, the model and who asks are told', async (_, files) => {
  const prompts: string[] = []
  const { baseDir, open } = world(async (workspace, prompt, attempt) => {
    prompts.push(prompt)
    const failsFirst = prompt.startsWith('two') && attempt === 1
    await writeFile(join(workspace, prompt.startsWith('one') ? 'one' : 'new'), '')
    if (failsFirst) throw new CliCrashedError()
    return filesIn(workspace)
  })
  {
    await using orchestrator = await open()
    await (await orchestrator.createAgent({ id: 'dev', ...ROLE })).ask('one')
  }
  await rm(join(baseDir, 'files.git'), { recursive: true })
  if (files === 'new') await rm(join(baseDir, 'agents', 'dev'), { recursive: true })
  await using orchestrator = await open()
  const agent = await orchestrator.agent('dev')
  // Looking at them does not hide it.
  await agent.files.list().catch(() => {})
  const warnings: string[] = []
  const asked = agent.ask('two')
  for await (const message of asked) if (message.type === 'warning') warnings.push(message.message)
  expect((await asked).text).toBe(files)
  expect(warnings).toEqual([expect.stringContaining('are not on this machine')])
  const saved = (await factsOf(orchestrator, 'dev')).filter(({ type }) => type === 'FilesSaved')
  expect(saved.map(({ data }) => data.lost)).toEqual([undefined, true, undefined, undefined])
  await agent.ask('three')
  // The second attempt is told, too.
  const told = prompts.map((prompt) => prompt.includes('The files of your earlier turns are not in'))
  expect(told).toEqual([false, true, true, false])
})

test('inputs are there again when a call is repeated, and so is what they were', async () => {
  const { folder, open } = world(async (workspace, prompt, attempt) => {
    const text = await readFile(join(workspace, 'input.txt'), 'utf8')
    await appendFile(join(workspace, 'input.txt'), prompt)
    if (attempt === 1) throw new CliCrashedError()
    return text
  })
  const input = join(folder, 'input.txt')
  await writeFile(input, 'an input')
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  expect((await agent.ask({ prompt: 'changed', files: [{ source: input }] })).text).toBe('an input')
})

test('a removed agent leaves its snapshots, and the next one of its name begins without files', async () => {
  const { open } = world(touch)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  await agent.ask('one')
  const [turn] = await agent.files.turns()
  await orchestrator.removeAgent('dev')
  const again = await orchestrator.createAgent({ id: 'dev', ...ROLE })
  await again.ask('two')
  expect((await again.files.diff()).files).toMatchObject([{ path: 'two', status: 'added' }])
  const saved = (await factsOf(orchestrator, 'dev')).findLast(({ type }) => type === 'FilesSaved')
  expect(saved?.data).toMatchObject({ added: 1, removed: 0 })
  expect((await again.files.diff({ since: turn?.after ?? '' })).files).toMatchObject([
    { path: 'one', status: 'removed' },
    { path: 'two', status: 'added' },
  ])
})

test('files of a time when none were kept are not the work of a call that failed', async () => {
  const { open, scripted } = world(failing)
  {
    // As before: its runner keeps no files.
    await using orchestrator = await open({ runner: scripted })
    const agent = await orchestrator.createAgent({ id: 'dev', ...ROLE })
    await mkdir(agent.workspace, { recursive: true })
    await agent.ask('a')
    await writeFile(join(agent.workspace, 'by-hand'), '')
  }
  await using orchestrator = await open()
  const agent = await orchestrator.agent('dev')
  expect((await agent.ask('b')).text).toBe('a-1 a-2 by-hand')
  await agent.files.undo({ to: 0 })
  expect(await filesIn(agent.workspace)).toBe('a-1 a-2 by-hand')
})

test('an agent that is given a repository begins with the files of that', async () => {
  const { folder, open } = world(touch)
  const repo = join(folder, 'repo')
  const { execaSync } = await import('execa')
  const user = (...command: string[]) =>
    execaSync('git', ['-C', repo, '-c', 'user.name=U', '-c', 'user.email=u@example.com', ...command]).stdout
  execaSync('git', ['init', '-q', '-b', 'main', repo])
  await writeFile(join(repo, 'a.txt'), 'one\n')
  user('add', '-A')
  user('commit', '-qm', 'first')
  await using orchestrator = await open()
  await (await orchestrator.createAgent({ id: 'dev', ...ROLE })).ask('private')
  const agent = await orchestrator.declareAgent({ id: 'dev', ...ROLE, workspace: { repo } })
  await agent.ask('two')
  expect((await agent.files.diff()).files).toMatchObject([{ path: 'two', status: 'added' }])
  expect(user('show', '--stat', '--format=', 'claude-agents/dev')).toMatch(/^ two \| 1 \+\n/)
})

test('files that are neither saved nor brought back are told once, until they are others', async () => {
  const said: string[] = []
  const note: Logger['warn'] = (_, message) => void said.push(message)
  const { open } = world(async (workspace, prompt) => {
    await writeFile(join(workspace, prompt), '')
    if (prompt.startsWith('huge')) await truncate(join(workspace, prompt), 101 * 1024 * 1024)
    return 'done'
  })
  await using orchestrator = await open({ logger: { debug() {}, info() {}, warn: note, error: note } })
  const agent = await orchestrator.createAgent({ id: 'own', ...ROLE })
  for (const prompt of ['small', 'huge', 'other', 'huge2']) await agent.ask(prompt)
  expect(said).toEqual([
    expect.stringMatching(/^some files are neither saved nor brought back, .*: huge$/),
    expect.stringMatching(/^some files are neither saved nor brought back, .*: huge, huge2$/),
  ])
})

/** The first half of a turn, up to a tool call that a person has to decide. The second one fails at first. */
const inHalves: Work = async (workspace, prompt, attempt) => {
  await mkdir(workspace, { recursive: true })
  await writeFile(join(workspace, `${prompt}-${attempt}`), '')
  const spent = {
    costUsd: 0,
    usage: { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 0 },
  }
  if (attempt === 1 && prompt !== 'whole')
    return { deferred: { tool: 'Bash', toolUseId: 'u', input: {} }, spent }
  return attempt === 2 ? { error: new CliCrashedError() } : filesIn(workspace)
}

test('A turn that waits for a person in its middle keeps its files, and is one turn: undone or given up, all of it is gone', async () => {
  const { open } = world(inHalves)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'a', ...ROLE, approveTools: ['Bash'] })
  const held = async (prompt: string) => {
    const text = agent.ask(prompt, { taskId: prompt }).then(({ text }) => text, String)
    await expect.poll(() => agent.status).toBe('held')
    return { text }
  }
  const first = await held('one')
  const [entry] = await orchestrator.inbox()
  await orchestrator.inbox.approve(entry?.id ?? '')
  // What the second half did before it failed is taken back, and what the first did is not.
  expect(await first.text).toBe('one-1 one-3')
  expect(await agent.files.turns()).toMatchObject([{ turn: 1, taskId: 'one' }])
  await agent.files.undo()
  expect(await filesIn(agent.workspace)).toBe('')

  await held('two')
  await agent.cancel('two', 'no need')
  expect((await agent.ask('whole')).text).toBe('whole-1')
})
