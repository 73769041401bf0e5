import { symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RefusedError } from '../../../src/events/errors/call.ts'
import { userName } from '../../../src/inbox/user-name.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { answer } from '../../../src/testing/model/answer.ts'
import { type SimulatedModel, simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { few } from '../../repetitions.ts'
import { quickCommandLine, type Ran } from '../command.ts'

let model: SimulatedModel
beforeAll(async () => {
  model = await simulatedModel({ reply: ({ prompt }) => `an answer to: ${prompt.split('\n', 1)[0]}` })
})
afterAll(() => model.close())

const failureOf = ({ stderr }: Ran) =>
  JSON.parse(stderr.split('\n').findLast((line) => line.startsWith('{"error"')) ?? 'null')?.error

/** A command line with agents of these names. */
async function team(names: readonly string[], own: SimulatedModel = model) {
  const cli = await quickCommandLine(own.environment)
  await using orchestrator = await Orchestrator.open({ baseDir: join(cli.folder, '.claude-agents') })
  for (const id of names)
    await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.`, retry: { attempts: 0 } })
  return cli
}

describe('workflow run', () => {
  test('prints JSON that keeps its contract, and the run is listed and shown', async () => {
    const { run } = await team(['a', 'b'])
    const ran = await run(['workflow', 'run', 'a', 'b', 'go', '--pattern', 'sequential', '--json'])
    expect(ran.exitCode).toBe(0)
    const runId = ran.values[0]?.runId as unknown as string
    expect(ran.values).toEqual([
      {
        runId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        pattern: 'sequential',
        success: true,
        agents: ['a', 'b'],
        results: { a: 'an answer to: go', b: 'an answer to: go' },
        metadata: { finalOutput: 'an answer to: go', costUsd: expect.any(Number), steps: 2, reused: 0 },
        errors: [],
      },
    ])
    const line = {
      runId,
      name: 'sequential',
      status: 'succeeded',
      steps: 2,
      done: 2,
      costUsd: expect.any(Number),
      topic: 'go',
      startedAt: expect.any(String),
      durationMs: expect.any(Number),
      ...{ endedAt: expect.any(String), driver: null, reason: null },
    }
    expect((await run(['workflow', 'list', '--json'])).values).toEqual([line])
    const [shown] = (await run(['workflow', 'show', runId, '--json'])).values
    expect(shown).toMatchObject({
      ...line,
      finalOutput: 'an answer to: go',
      workflow: { kind: 'agents', pattern: 'sequential', agents: ['a', 'b'] },
      taken: [
        {
          agent: 'a',
          state: 'succeeded',
          tokens: expect.any(Number),
          durationMs: expect.any(Number),
          tries: 1,
        },
        { agent: 'b', state: 'succeeded' },
      ],
    })
    const replayed = (await run(['replay', `run/${runId}`, '--json'])).values
    expect(replayed.at(-1)).toMatchObject({
      type: 'RunSucceeded',
      before: { status: 'running' },
      after: { status: 'succeeded', name: 'sequential', steps: 2, done: 2 },
    })
    const table = (await run(['workflow', 'list'])).stdout.split('\n')
    expect(table[0]).toMatch(/^RUN +STATUS +TOPIC +STARTED +TOOK +COST +STEPS +NAME$/)
    expect(table[1]).toMatch(/ succeeded +go +(now|\d+ s ago) +[\d.]+ m?s +\$[\d.]+ +2 of 2 +sequential$/)
    const text = await run(['workflow', 'show', runId])
    expect(text.stdout).toMatch(
      /succeeded {2}2 of 2 steps[\s\S]*a +done .* tokens +\$[\s\S]*an answer to: go/,
    )
  })

  test('that failed is listed with the steps that were answered', async () => {
    const { run, folder } = await team(['a', 'b'])
    const runner = scriptedRunner({ reply: ({ prompt }) => (prompt === 'go' ? 'went' : new RefusedError()) })
    const orchestrator = await Orchestrator.open({ baseDir: join(folder, '.claude-agents'), runner })
    await orchestrator.run(sequential(['a', 'b']), 'go', { id: 'r1' }).catch(() => {})
    await orchestrator.close()
    expect((await run(['workflow', 'show', 'r1'])).stdout).toMatch(/ failed {2}1 of 2 steps /)
    expect((await run(['workflow', 'list'])).stdout).toMatch(/ 1 done +workflow$/)
  })

  test('under one id is one run: running it again answers from the log', async () => {
    const { run } = await team(['a'])
    const before = model.requestCount
    const [first] = (await run(['workflow', 'run', 'a', 'go', '--id', 'r1', '--json'])).values
    const [again] = (await run(['workflow', 'run', 'a', 'go', '--id', 'r1', '--json'])).values
    expect(again).toMatchObject({ results: first?.results, metadata: { reused: 1 } })
    expect(model.requestCount - before).toBe(1)
  })

  test('has conversations of its own, or with --session chain those of its agents', async () => {
    const { run } = await team(['a'])
    for (const more of [[], [], ['--session', 'chain'], ['--session', 'chain']])
      expect((await run(['workflow', 'run', 'a', 'go', ...more])).exitCode).toBe(0)
    const links = (await run(['agent', 'sessions', 'a', '--json'])).values
    expect(links.map(({ parentSessionId }) => parentSessionId)).toEqual([
      null,
      null,
      null,
      links[2]?.sessionId,
    ])
    expect((await run(['workflow', 'run', 'a', 'go', '--session', 'mine'])).exitCode).toBe(2)
  })

  test('keeps the other answers when an agent fails, names it, and exits with 1', async () => {
    const own = await simulatedModel({
      reply: ({ system }) => (system.includes('You are b.') ? answer.failure(413) : 'fine'),
    })
    await using _ = own
    const { run } = await team(['a', 'b', 'c'], own)
    const words = ['workflow', 'run', 'a', 'b', 'c', 'go', '--pattern', 'parallel']
    const ran = await run([...words, '--json'])
    expect(ran.exitCode).toBe(1)
    expect(ran.values[0]).toMatchObject({
      success: false,
      results: { a: 'fine', c: 'fine' },
      errors: [{ agent: 'b', code: 'PromptTooLargeError', message: expect.any(String) }],
    })
    const text = await run(words)
    expect(text).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('## a\n\nfine') })
    expect(text.stderr).toMatch(/b: .*\nRetry what failed: claude-agents workflow resume/)
  })

  test('reads the task from stdin, and takes pools', async () => {
    const { run } = await team(['worker', 'editor'])
    const words = [
      'workflow',
      'run',
      'worker:2',
      'editor',
      '-',
      '--pattern',
      'map-reduce',
      '--split',
      'lines',
    ]
    const ran = await run([...words, '--json'], 'one\ntwo\nthree')
    expect(ran.values[0]).toMatchObject({
      success: true,
      agents: ['worker', 'editor'],
      metadata: { steps: 4 },
    })
    expect((await run(['agent', 'list', '--json'])).values.map(({ id }) => id)).toEqual(['editor', 'worker'])
  })
})

describe('a workflow that is interrupted', () => {
  test('is paused by Ctrl-C, and resumed where it was', async () => {
    const own = await simulatedModel({ reply: ['one', answer.held('never'), 'two'] })
    await using _ = own
    const { run, start } = await team(['a', 'b'], own)
    const running = start('workflow', 'run', 'a', 'b', 'go', '--id', 'r1')
    await own.waitForRequest(2)
    running.kill('SIGINT')
    const { exitCode, stderr } = await running
    expect(exitCode).toBe(130)
    expect(stderr).toContain('claude-agents workflow resume r1')
    expect((await run(['workflow', 'list', '--json'])).values[0]).toMatchObject({ status: 'paused', done: 1 })
    const resumed = await run(['workflow', 'resume', 'r1', '--json'])
    expect(resumed).toMatchObject({ exitCode: 0 })
    expect(resumed.values[0]).toMatchObject({
      runId: 'r1',
      pattern: 'sequential',
      results: { a: 'one', b: 'two' },
      metadata: { steps: 2, reused: 1 },
    })
    expect(own.requestCount).toBe(3)
  })

  test('plans, after a prompt was edited, exactly what resume then does', async () => {
    const own = await simulatedModel({ reply: ['one', 'two', answer.held('never'), 'new two', 'new three'] })
    await using _ = own
    const { run, start, folder } = await team(['a', 'b', 'c'], own)
    const write = (style: string) =>
      writeFile(
        join(folder, 'claude-agents.yaml'),
        `workflows:\n  - name: report\n    pattern: pipeline\n    agents: [a, b, c]\n    prompts: [~, '${style}: {{input}}', ~]\n`,
      )
    await write('Sum up')
    const running = start('workflow', 'run', '--workflow', 'report', 'go', '--id', 'r1')
    await own.waitForRequest(3)
    running.kill('SIGINT')
    await running
    const plan = async () => (await run(['workflow', 'resume', 'r1', '--plan', '--json'])).values
    const log = async () => (await run(['log', '--json'])).values.length
    const before = await log()
    expect(await plan()).toEqual([
      {
        reused: [
          { agent: 'a', stepKey: expect.any(String), costUsd: expect.any(Number) },
          { agent: 'b', stepKey: expect.any(String), costUsd: expect.any(Number) },
        ],
        rerun: [{ agent: 'c', stepKey: expect.any(String) }],
      },
    ])
    await write('Shorten')
    expect(await plan()).toMatchObject([
      { reused: [{ agent: 'a' }], rerun: [{ agent: 'b' }, { agent: 'c' }] },
    ])
    expect([await log(), own.requestCount]).toEqual([before, 3])
    const text = await run(['workflow', 'resume', 'r1', '--plan'])
    expect(text.stdout).toMatch(
      /reused {2}a .*\nasked {3}b\nasked {3}c\n1 from the log, which had cost \$.*; 2 to ask\./,
    )
    const refused = await run(['workflow', 'resume', 'r1', '--json'])
    expect(refused.exitCode).toBe(1)
    expect(failureOf(refused)).toMatchObject({
      code: 'WorkflowChangedError',
      hint: expect.stringContaining('claude-agents workflow resume r1 --accept-changes'),
    })
    expect(own.requestCount).toBe(3)
    const [result] = (await run(['workflow', 'resume', 'r1', '--accept-changes', '--json'])).values
    expect(result).toMatchObject({
      results: { a: 'one', b: 'new two', c: 'new three' },
      metadata: { reused: 1 },
    })
    expect(own.requests.slice(3).map(({ prompt }) => prompt)).toEqual(['Shorten: one', 'new two'])
  })

  test('is cancelled for good', async () => {
    const own = await simulatedModel({ reply: [answer.held('never')] })
    await using _ = own
    const { run, start } = await team(['a'], own)
    const running = start('workflow', 'run', 'a', 'go', '--id', 'r1')
    await own.waitForRequest(1)
    running.kill('SIGINT')
    await running
    expect((await run(['workflow', 'cancel', 'r1', '--json'])).values).toEqual([
      { runId: 'r1', status: 'cancelled' },
    ])
    expect((await run(['workflow', 'list', '--json'])).values[0]).toMatchObject({ status: 'cancelled' })
    expect((await run(['log', '--stream', 'run/r1', '--json'])).values.at(-1)).toMatchObject({
      ...{ type: 'RunCancelled', data: { by: userName() } },
    })
    for (const word of ['resume', 'cancel'])
      expect(failureOf(await run(['workflow', word, 'r1', '--json']))).toMatchObject({
        ...{ code: 'RunFinishedError', message: expect.stringContaining('neither resumed nor cancelled') },
      })
  })
})

describe('a template', () => {
  // The others are run in tests/cli/documented-values.test.ts, too.
  const TEAMS = few<[template: string, agents: string[]]>(1, [
    ['research', ['researcher', 'analyst', 'writer']],
    [
      'code-review',
      [
        'security_reviewer',
        'performance_reviewer',
        'quality_reviewer',
        'accessibility_reviewer',
        'lead_reviewer',
      ],
    ],
    ['brainstorm', ['visionary', 'pragmatist', 'outsider', 'critic', 'ranker']],
  ])

  test.each(TEAMS)('%s creates its agents and runs', async (name, agents) => {
    const { run, folder } = await quickCommandLine(model.environment)
    await writeFile(join(folder, 'login.ts'), 'export const login = 4711')
    const before = model.requestCount
    const ran = await run(['workflow', 'template', name, '-', '--file', 'login.ts', '--json'], 'Look at this')
    expect(ran.exitCode).toBe(0)
    expect(ran.values[0]).toMatchObject({ pattern: name, success: true, agents, errors: [] })
    expect((await run(['agent', 'list', '--json'])).values.map(({ id }) => id)).toEqual([...agents].sort())
    expect(model.requestCount - before).toBe(agents.length)
    expect(model.requests.filter(({ prompt }) => prompt.includes('4711')).length).toBeGreaterThan(0)
  })

  test('is interrupted and resumed like any other', async () => {
    const own = await simulatedModel({ reply: ['findings', answer.held('never'), 'analysis', 'report'] })
    await using _ = own
    const { run, start } = await quickCommandLine(own.environment)
    const running = start('workflow', 'template', 'research', 'tidal energy', '--id', 'r1')
    await own.waitForRequest(2)
    running.kill('SIGINT')
    expect((await running).exitCode).toBe(130)
    const [result] = (await run(['workflow', 'resume', 'r1', '--json'])).values
    expect(result).toMatchObject({
      results: { researcher: 'findings', analyst: 'analysis', writer: 'report' },
      metadata: { finalOutput: 'report', steps: 3, reused: 1 },
    })
  })
})

describe('a module', () => {
  const code = `
import { concatMap } from 'rxjs'
export default (ask) => concatMap((task) => ask('a', { prompt: 'shout ' + task.prompt }))
export const twice = (ask) => concatMap((task) =>
  ask('a', task).pipe(concatMap(({ text }) => ask('b', { prompt: 'again ' + text }))))
export const sum = 1 + 1
`
  async function withModule(own: SimulatedModel = model) {
    const cli = await team(['a', 'b'], own)
    await symlink(resolve(import.meta.dirname, '../../../node_modules'), join(cli.folder, 'node_modules'))
    await writeFile(join(cli.folder, 'flows.mjs'), code)
    return cli
  }

  test('exports patterns, by default or by name', async () => {
    const { run } = await withModule()
    const words = ['workflow', 'run', '--module', 'flows.mjs']
    expect((await run([...words, 'go', '--json'])).values[0]).toMatchObject({
      metadata: { finalOutput: 'an answer to: shout go' },
    })
    expect((await run([...words, '--export', 'twice', 'go', '--json'])).values[0]).toMatchObject({
      pattern: 'twice',
      metadata: { finalOutput: 'an answer to: again an answer to: go' },
    })
  })

  test('is found again by resume', async () => {
    const own = await simulatedModel({ reply: ['one', answer.held('never'), 'two'] })
    await using _ = own
    const { run, start } = await withModule(own)
    const running = start('workflow', 'run', '--module', 'flows.mjs', '--export', 'twice', 'go', '--id', 'r1')
    await own.waitForRequest(2)
    running.kill('SIGINT')
    await running
    expect((await run(['workflow', 'resume', 'r1', '--json'])).values[0]).toMatchObject({
      results: { a: 'one', b: 'two' },
      metadata: { reused: 1 },
    })
  })

  test('that exports no pattern of the name is refused', async () => {
    const { run } = await withModule()
    const refusal = async (...words: string[]) =>
      failureOf(await run(['workflow', 'run', '--module', ...words, 'go', '--json']))
    expect(await refusal('flows.mjs', '--export', 'twise')).toMatchObject({ hint: 'Did you mean "twice"?' })
    expect((await refusal('flows.mjs', '--export', 'sum')).message).toContain('is not a pattern')
    expect((await refusal('none.mjs')).message).toContain('there is no such module')
  })
})

describe('bad input gets a clear error before any call is made:', () => {
  test('unknown agents, patterns, tasks, runs and names', async () => {
    const { run } = await team(['researcher', 'writer'])
    const before = model.requestCount
    const refused = async (...words: string[]) => {
      const ran = await run(['workflow', ...words, '--json'])
      return { exitCode: ran.exitCode, ...failureOf(ran) }
    }
    expect(await refused('run', 'reseacher', 'writer', 'go')).toMatchObject({
      exitCode: 1,
      message: 'No agent "reseacher". Did you mean "researcher"?',
    })
    expect(await refused('run', 'writer', 'go', '--pattern', 'paralel')).toMatchObject({
      exitCode: 2,
      hint: 'Did you mean "parallel"?',
    })
    for (const words of [
      ['run'],
      ['run', 'go', '--pattern', 'parallel'],
      ['run', 'writer', 'writer', 'go', '--pattern', 'parallel'],
      ['run', 'writer', ''],
      ['run', 'writer', 'go', '--id', '../x'],
      ['run', 'writer', 'go', '--rounds', '2'],
      ['run', 'writer', 'go', '--workflow', 'report'],
      ['run', 'go', '--workflow', 'report'],
      ['template', 'reserch', 'go'],
      ['template', 'research'],
      ['template', 'research', 'go', '--file', 'none.txt'],
    ])
      expect({ words, exitCode: (await refused(...words)).exitCode }).toEqual({ words, exitCode: 2 })
    expect(await refused('run', 'go', '--workflow', 'research')).toMatchObject({
      hint: 'It is a template: claude-agents workflow template research "..."',
    })
    expect(await refused('run', 'go', '--workflow', 'report')).toMatchObject({
      hint: expect.stringContaining('Templates need no file: claude-agents workflow template research | '),
    })
    for (const words of [
      ['resume', 'none'],
      ['resume', 'none', '--plan'],
      ['show', 'none'],
      ['cancel', 'none'],
    ])
      expect(await refused(...words)).toMatchObject({ exitCode: 1, code: 'RunNotFoundError' })
    expect((await run(['workflow', 'list', '--json'])).values).toEqual([])
    expect(model.requestCount).toBe(before)
  })

  test('a workflow in the configuration file with a misspelt key', async () => {
    const { run, folder } = await team(['a'])
    await writeFile(join(folder, 'claude-agents.yaml'), 'workflows:\n  - name: x\n    patern: race\n')
    const ran = await run(['workflow', 'run', '--workflow', 'x', 'go', '--json'])
    expect(ran.exitCode).toBe(1)
    expect(failureOf(ran)).toMatchObject({
      code: 'ConfigError',
      message: expect.stringContaining(
        'claude-agents.yaml:3:5: there is no key "patern" in workflows[0]. Did you mean "pattern"?',
      ),
    })
  })

  test('a run started by a program, as its workflow exists only in code', async () => {
    const { run, folder } = await team(['a'])
    const orchestrator = await Orchestrator.open({ baseDir: join(folder, '.claude-agents') })
    const stop = AbortSignal.abort('enough')
    await orchestrator.run(sequential(['a']), 'go', { id: 'r1', signal: stop }).then(
      () => {},
      () => {},
    )
    await orchestrator.close()
    expect(failureOf(await run(['workflow', 'resume', 'r1', '--json']))).toMatchObject({
      message: expect.stringContaining('a program started it'),
      hint: expect.stringContaining('--module'),
    })
    expect((await run(['workflow', 'show', 'r1'])).stderr).toContain(
      'or name its code: claude-agents workflow resume r1 --module FILE',
    )
  })
})

test('template beside the owner of the store runs there, with the agents that are missing', async () => {
  const cli = await quickCommandLine(model.environment)
  const runner = scriptedRunner({ reply: ({ agent }) => `from ${agent}` })
  await using owner = await Orchestrator.open({ baseDir: join(cli.folder, '.claude-agents'), runner })
  await owner.createAgent({ id: 'visionary', systemPrompt: 'You are here already.' })
  const ran = await cli.run(['workflow', 'template', 'brainstorm', 'features', '--id', 'r1', '--json'])
  expect(ran).toMatchObject({ exitCode: 0, values: [{ runId: 'r1', success: true }] })
  const { taken } = await owner.runs.show('r1')
  const asked = new Set(taken.map(({ agent }) => agent))
  expect(new Set((await owner.agents()).map(({ id }) => id))).toEqual(asked)
  expect((await owner.runs.show('r1')).workflow).toEqual({ kind: 'template', name: 'brainstorm' })
})
