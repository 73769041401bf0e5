/** A fleet: each task to an agent of its own, on a worktree of its own. With real git, and a runner that changes files. */
import { mkdtempSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import fc from 'fast-check'
import { concatMap, filter, firstValueFrom } from 'rxjs'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ClaudeAgentError } from '../../src/events/errors/base.ts'
import { RefusedError } from '../../src/events/errors/call.ts'
import { AGENT_ID_PATTERN } from '../../src/events/ids.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import { type FleetTask, fleet, fleetTasks } from '../../src/patterns/fleet.ts'
import { mapReduce } from '../../src/patterns/map-reduce.ts'
import type { Pattern } from '../../src/patterns/pattern.ts'
import { pipeline } from '../../src/patterns/pipeline.ts'
import { pool } from '../../src/patterns/pool.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../src/workspaces/operations.ts'

const user = (cwd: string, ...command: string[]) =>
  execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd }).stdout

/** A repository with a commit, and orchestrators whose agents write a file named like their task. */
async function world() {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }))
  const repo = join(folder, 'repo')
  await mkdir(repo)
  user(repo, 'init', '-q', '-b', 'main')
  await writeFile(join(repo, 'a.txt'), 'one\n')
  user(repo, 'add', '-A')
  user(repo, 'commit', '-qm', 'first')
  const asked: string[] = []
  const open = (options: Partial<OrchestratorOptions> & { stuck?: string } = {}) => {
    const { stuck, ...others } = options
    const scripted = scriptedRunner({
      reply: async ({ directories, prompt }) => {
        asked.push(prompt)
        if (prompt === stuck) return { text: '', delayMs: 1e9 }
        if (prompt.startsWith('fail')) return new RefusedError()
        const [name = ''] = prompt.split('\n')
        // Whoever is asked to repair something does nothing.
        if (/^\w+$/.test(name)) await writeFile(join(directories.workspace, `${name}.txt`), 'by an agent\n')
        return { text: `did ${prompt}`, costUsd: 0.5 }
      },
    })
    const runner = { ...scripted, ...directoryOperations({ clock: systemClock }) }
    return Orchestrator.open({ baseDir: join(folder, 'base'), runner, serve: false, ...others })
  }
  return { repo, open, asked }
}

test('each task has an agent, a worktree and a branch of its own, and one that fails does not end the others', async () => {
  const { repo, open } = await world()
  await using orchestrator = await open()
  const tasks = ['apples', 'fail pears', { task: 'plums', id: 'plums', model: 'opus' }]
  const run = orchestrator.run(fleet(tasks, { repo, concurrency: 2 }), 'fruit', { id: 'r1' })
  const { success, errors, results } = await run
  expect(success).toBe(false)
  const [apples = '', pears = ''] = run.agents
  expect(run.agents).toEqual([
    expect.stringMatching(/^apples-[0-9a-f]{6}$/),
    expect.stringMatching(/^fail-pears-[0-9a-f]{6}$/),
    'plums',
  ])
  expect(results).toEqual({ [apples]: 'did apples', plums: 'did plums' })
  expect(errors).toMatchObject([{ agent: pears, code: 'RefusedError' }])
  expect((await orchestrator.agent('plums')).snapshot.context.config?.model).toBe('opus')
  for (const [agent, file] of [
    [apples, 'apples.txt'],
    ['plums', 'plums.txt'],
  ])
    expect(user(repo, 'show', '--stat', '--format=%an', `claude-agents/${agent}`)).toContain(`${file} | 1 +`)
  expect(user(repo, 'status', '--porcelain')).toBe('')

  const file = (path: string) => ({ path, status: 'added', added: 1, removed: 0 })
  expect(await orchestrator.runs.diff('r1', { patch: true })).toMatchObject({
    runId: 'r1',
    agents: [
      { agent: apples, files: [file('apples.txt')], patch: expect.stringContaining('+by an agent') },
      { agent: 'plums', files: [file('plums.txt')] },
    ],
  })
})

test('what the run is given beside its prompt is a part of every task', async () => {
  const { repo, open, asked } = await world()
  await using orchestrator = await open()
  const input = { prompt: 'The title', textInput: 'Keep the API.' }
  await orchestrator.run(fleet(['one', 'two'], { repo }), input, { session: 'fresh' })
  expect(asked.sort()).toEqual(['one\n\nKeep the API.', 'two\n\nKeep the API.'])
})

test('a fleet is a step like any other', async () => {
  const { repo, open } = await world()
  await using orchestrator = await open()
  await orchestrator.createAgent({ id: 'reviewer', systemPrompt: 'You review.' })
  const review = pipeline([{ agent: fleet(['one', 'two'], { repo }) }, { agent: 'reviewer', prompt: 'sum' }])
  const { success, metadata } = await orchestrator.run(review, 'go')
  expect({ success, text: metadata.finalOutput }).toEqual({
    success: true,
    text: expect.stringMatching(/^did sum/),
  })
})

test('a fleet of data continues with the agents that it has, whichever process opens the log', async () => {
  const { repo, open, asked } = await world()
  const tasks = fleetTasks(['one', 'two'], 'r1')
  const [one, two] = tasks.map(({ id }) => id)
  {
    await using first = await open({ stuck: 'two' })
    const run = first.run({ kind: 'fleet', tasks, repo }, '2 tasks', { id: 'r1' })
    run.catch(() => {})
    for await (const { state } of run) if (state === 'succeeded') break
  }
  await using second = await open()
  const { success, results } = await second.runs.result('r1')
  expect({ success, results }).toEqual({
    success: true,
    results: { [one as string]: 'did one', [two as string]: 'did two' },
  })
  expect(asked.filter((prompt) => prompt === 'one')).toHaveLength(1)
  expect((await second.agents()).map(({ id }) => id)).toEqual([one, two])
  expect((await second.runs.show('r1')).workflow).toMatchObject({ kind: 'fleet', repo, tasks })
})

test('a fleet resumes when what its agents began from is gone', async () => {
  const { repo, open } = await world()
  await mkdir(join(repo, 'below'))
  user(repo, 'branch', 'begin')
  const workflow = {
    kind: 'fleet',
    tasks: fleetTasks(['one', 'two']),
    repo: join(repo, 'below'),
    base: 'begin',
  } as const
  {
    await using first = await open({ stuck: 'two' })
    const run = first.run(workflow, '2 tasks', { id: 'r1' })
    run.catch(() => {})
    for await (const { state } of run) if (state === 'succeeded') break
  }
  user(repo, 'branch', '-D', 'begin')
  await using second = await open()
  expect(await second.runs.result('r1')).toMatchObject({ success: true, agents: { length: 2 } })
})

test('if one agent cannot be created, the others are not left behind, and there is no run', async () => {
  const { repo, open } = await world()
  await using orchestrator = await open({ maxAgents: 2 })
  await expect(orchestrator.run(fleet(['one', 'two', 'three'], { repo }), 'go')).rejects.toMatchObject({
    _tag: 'TooManyAgentsError',
  })
  const wrong = fleet(['one', { task: 'two', base: 'nowhere' }], { repo })
  await expect(orchestrator.run(wrong, 'go')).rejects.toThrow('nowhere')
  expect(await orchestrator.agents()).toEqual([])
  expect(await orchestrator.runs.list()).toEqual([])
})

test('what passes lands, and what does not stays on its branch, and is said', async () => {
  const { repo, open } = await world()
  await using orchestrator = await open()
  const land = { gate: 'test ! -e bad.txt' }
  const run = orchestrator.run(fleet(['apples', 'bad', 'plums'], { repo, land }), 'go', { id: 'r1' })
  const { success, errors } = await run
  const bad = run.agents[1]
  expect({ success, errors }).toEqual({
    success: false,
    errors: [
      { agent: bad, code: 'WorkNotLandedError', message: expect.stringContaining(`"${bad}" has not landed`) },
    ],
  })
  expect(user(repo, 'ls-tree', '--name-only', 'main').split('\n')).toEqual([
    'a.txt',
    'apples.txt',
    'plums.txt',
  ])
  expect(user(repo, 'ls-tree', '--name-only', `claude-agents/${bad}`)).toContain('bad.txt')
  // Run again, nothing is asked and nothing is queued again.
  const entries = await orchestrator.landings.list()
  await orchestrator.run(fleet(['apples', 'bad', 'plums'], { repo, land }), 'go', { id: 'r1' })
  expect(await orchestrator.landings.list()).toEqual(entries)
  expect(entries.map(({ status }) => status).sort()).toEqual(['landed', 'landed', 'set-aside'])
})

test('a task that was answered is not asked again when its agent was removed, although a new one begins from another commit', async () => {
  const { repo, open, asked } = await world()
  await using orchestrator = await open()
  const work = fleet(['apples', 'bad'], { repo, land: { gate: 'test ! -e bad.txt' } })
  const run = orchestrator.run(work, 'go', { id: 'r1' })
  const { errors } = await run
  const [, bad = ''] = run.agents
  await orchestrator.removeAgent(bad, { force: true })
  const before = asked.length
  expect(await orchestrator.runs.plan('r1', work)).toMatchObject({ reused: { length: 2 }, rerun: [] })
  expect((await orchestrator.runs.resume('r1', work)).errors).toEqual(errors)
  expect(asked.slice(before)).toEqual([])
  // What it did is where it was.
  expect(user(repo, 'ls-tree', '--name-only', `claude-agents/${bad}`)).toContain('bad.txt')
})

test.each(['closed', 'paused'])(
  'a fleet that is %s while its work lands continues to land it, once',
  async (how) => {
    const { repo, open } = await world()
    const pipe = join(repo, '..', 'pipe')
    execaSync('mkfifo', [pipe])
    // The gate waits for a word.
    const land = { gate: `test "$(cat '${pipe}')" = yes` }
    const workflow = { kind: 'fleet', tasks: fleetTasks(['one']), repo, land } as const
    {
      await using first = await open()
      const run = first.run(workflow, '1 task', { id: 'r1' })
      run.catch(() => {})
      await firstValueFrom(first.landings.changes().pipe(filter(({ status }) => status === 'gating')))
      if (how === 'paused') await run.pause()
    }
    await using second = await open()
    const result = how === 'paused' ? second.runs.resume('r1') : second.runs.result('r1')
    await writeFile(pipe, 'yes')
    expect(await result).toMatchObject({ success: true })
    expect(await second.landings.list()).toMatchObject([{ status: 'landed', target: 'main' }])
    expect(
      user(repo, 'log', '--format=%s', 'main')
        .split('\n')
        .filter((title) => title === 'one'),
    ).toHaveLength(1)
  },
)

test('the diff of a run has what its own turns did, and nothing that was done between them', async () => {
  const { repo, open } = await world()
  await using orchestrator = await open()
  const dev = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await orchestrator.createAgent({ id: 'talker', systemPrompt: 'You talk.' })
  await dev.ask('before')
  const inTurn: Pattern = (ask) =>
    concatMap(() =>
      ask('dev', { prompt: 'one' }).pipe(
        concatMap(() => ask('dev', { prompt: 'two' })),
        concatMap(() => dev.ask('meanwhile')),
        concatMap(() => ask('talker', { prompt: 'three' })),
        concatMap(() => rm(join(dev.workspace, 'one.txt'))),
        concatMap(() => ask('dev', { prompt: 'four' })),
      ),
    )
  await orchestrator.run(inTurn, 'go', { id: 'r1' })
  await dev.ask('after')
  const { agents } = await orchestrator.runs.diff('r1', { patch: true })
  expect(agents.map(({ agent, files }) => [agent, files.length])).toEqual([
    ['dev', 3],
    ['talker', 1],
  ])
  expect(agents[0]?.files.map(({ path, status }) => `${path} ${status}`)).toEqual([
    'four.txt added',
    'one.txt added',
    'two.txt added',
  ])
  const turns = await dev.files.turns()
  expect(agents[0]).toMatchObject({ base: turns[1]?.before, head: turns[4]?.after })
  expect(agents[0]?.patch).not.toContain('meanwhile')
})

test('the diff of a run is there when its agents are gone, and makes nothing', async () => {
  const { repo, open } = await world()
  await using orchestrator = await open()
  await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  const each = mapReduce({ split: () => ['one', 'two'], map: pool('dev', { size: 2 }) })
  await orchestrator.run(each, 'go', { id: 'r1' })
  await orchestrator.removeAgent('dev')
  const { agents } = await orchestrator.runs.diff('r1')
  expect(agents.map(({ agent, files }) => [agent, files.map(({ path }) => path)])).toEqual([
    ['dev.1', ['one.txt']],
    ['dev.2', ['two.txt']],
  ])
  expect(user(repo, 'worktree', 'list').split('\n')).toHaveLength(1)
  await expect(orchestrator.runs.diff('r2')).rejects.toMatchObject({ _tag: 'RunNotFoundError' })
})

describe('the ids of its agents', () => {
  test.each<[task: string, id: RegExp]>([
    ['Test the checkout', /^test-the-checkout-[0-9a-f]{6}$/],
    ['Prüfe die Kasse!', /^prufe-die-kasse-[0-9a-f]{6}$/],
    ['测试结账', /^task-[0-9a-f]{6}$/],
    ['-- \n 1. do', /^1-do-[0-9a-f]{6}$/],
    ['x'.repeat(100), /^x{32}-[0-9a-f]{6}$/],
    ['a few words that are more than can be read', /^a-few-words-that-are-more-than-[0-9a-f]{6}$/],
  ])('are made of the words of %j', (task, id) => {
    expect(fleetTasks([task])[0]?.id).toMatch(id)
  })

  test('are valid, differ, and are the same for the same tasks and name', () => {
    const task = fc.string({ minLength: 1 }).filter((text) => text.trim() !== '')
    fc.assert(
      fc.property(fc.array(task, { minLength: 1 }), (tasks) => {
        const idsIn = (name: string) => fleetTasks(tasks, name).map(({ id }) => id)
        const ids = idsIn('r1')
        expect(ids.filter((id) => !AGENT_ID_PATTERN.test(id))).toEqual([])
        expect(new Set(ids).size).toBe(ids.length)
        expect(idsIn('r1')).toEqual(ids)
        expect(idsIn('r2').some((id) => ids.includes(id))).toBe(false)
      }),
    )
  })

  test('never change: the log has them', () => {
    expect(fleetTasks(['Test the checkout'], 'r1')[0]?.id).toBe('test-the-checkout-2824cb')
  })
})

test.each<[what: string, tasks: unknown, options: unknown, message: string]>([
  ['no list', 'a task', { repo: '.' }, 'must be a list'],
  ['no tasks', [], { repo: '.' }, 'it has no tasks'],
  ['an empty task', ['one', ' '], { repo: '.' }, 'Task 2: it is empty'],
  ['a number', [42], { repo: '.' }, 'Task 1'],
  ['a wrong part', [{ task: 'one', modle: 'opus' }], { repo: '.' }, 'Did you mean "model"'],
  ['a wrong model', [{ task: 'one', model: 42 }], { repo: '.' }, 'model'],
  [
    'an id twice',
    ['one', 'two'].map((task): FleetTask => ({ task, id: 'dev' })),
    { repo: '.' },
    'two tasks have the agent "dev"',
  ],
  ['an id that is none', [{ task: 'one', id: 'A b' }], { repo: '.' }, 'A b'],
  ['no repository', ['one'], {}, 'repo'],
  ['a wrong option', ['one'], { repo: '.', bse: 'main' }, 'Did you mean "base"'],
  ['an empty gate', ['one'], { repo: '.', land: { gate: ' ' } }, 'gate'],
  ['a wrong way to land', ['one'], { repo: '.', land: { gat: 'true' } }, 'Did you mean "gate"'],
  ['no agents at once', ['one'], { repo: '.', concurrency: 0 }, 'concurrency'],
])('%s is refused', (_, tasks, options, message) => {
  const refused = vi.fn(() => fleet(tasks as never, options as never))
  expect(refused).toThrow(ClaudeAgentError)
  const error = refused.mock.results[0]?.value as ClaudeAgentError
  expect(`${error.message} ${error.hint}`).toContain(message)
})
