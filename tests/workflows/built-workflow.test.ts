import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { concatMap, EMPTY } from 'rxjs'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { JsonObject } from '../../src/events/json.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import type { Pattern } from '../../src/patterns/pattern.ts'
import type { ScriptedRunnerOptions } from '../../src/testing/scripted-runner.ts'
import { buildWorkflow, sealWorkflow } from '../../src/workflows/built-workflow.ts'
import { TEMPLATES, type WorkflowReference } from '../../src/workflows/pattern.ts'
import { until, world } from '../actors/world.ts'

const by: ScriptedRunnerOptions = { reply: ({ agent }) => `by ${agent}` }
/** `b` never answers. */
const stuck: ScriptedRunnerOptions = {
  reply: ({ agent }) => (agent === 'b' ? { text: '', delayMs: 9e12 } : `by ${agent}`),
}

const config = (prompt: string) => `workflows:
  - { name: report, pattern: pipeline, agents: [a, { workflow: rest }] }
  - { name: rest, pattern: pipeline, agents: [b], prompts: ['${prompt} {{input}}'] }
  - { name: other, pattern: race, agents: [a, b] }
`
const code = (prompt: string) => `export const report = (ask) => () => ask('b', { prompt: '${prompt}' })`

/** A folder with a configuration file and a module, whose second step asks with this prompt. */
async function files() {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const [yaml, module] = [join(folder, 'claude-agents.yaml'), join(folder, 'flows.mjs')]
  const write = async (prompt: string) => {
    await writeFile(yaml, config(prompt))
    await writeFile(module, code(prompt))
  }
  await write('Edit:')
  return { yaml, module, write }
}

test('A pipe in place of a module is refused, and nothing waits for its writer', async () => {
  const { yaml } = await files()
  const file = join(yaml, '..', 'pipe.mjs')
  execFileSync('mkfifo', [file])
  const module = { kind: 'module', file, export: 'report' } as const
  for (const read of [buildWorkflow, sealWorkflow])
    await expect(read(module)).rejects.toMatchObject({
      ...{ _tag: 'InvalidInputError', message: expect.stringContaining('it is a pipe, not a file') },
    })
})

test.each([
  ['an ECMAScript module', 'flows.mjs', 'export const'],
  ['a CommonJS module', 'flows.cjs', 'exports.'],
])('%s that has changed is loaded as it is now', async (_, name, exporting) => {
  const file = join((await files()).yaml, '..', name)
  const asked: string[] = []
  for (const prompt of ['first', 'second']) {
    await writeFile(file, `${exporting} report = (ask) => () => ask('${prompt}', {})`)
    const { pattern } = await buildWorkflow({ kind: 'module', file, export: 'report' })
    pattern((worker) => {
      asked.push(String(worker))
      return EMPTY
    })(EMPTY)
  }
  expect(asked).toEqual(['first', 'second'])
})

async function team(options: OrchestratorOptions = {}, script = by) {
  const here = await world()
  const { orchestrator, runner } = await here.open(script, options)
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  const facts = async (runId: string) => {
    const found: { type: string; data: JsonObject }[] = []
    for await (const { type, data } of here.store.read(`run/${runId}`)) found.push({ type, data })
    return found
  }
  return { here, orchestrator, runner, facts }
}

const agents = { kind: 'agents', pattern: 'sequential', agents: ['a', 'b'], options: {} } as const
const twice: Pattern = Object.assign(
  (ask: Parameters<Pattern>[0]) =>
    concatMap((task: Parameters<typeof ask>[1]) =>
      ask('a', task).pipe(concatMap(({ text }) => ask('b', { prompt: text }))),
    ),
  { agents: ['a', 'b'] },
)

describe('a run of data records what it is made of, and resumes by its id alone:', () => {
  const kinds: readonly (readonly [
    string,
    (made: Awaited<ReturnType<typeof files>>) => WorkflowReference,
  ])[] = [
    ['agents and a pattern', () => agents],
    ['a workflow of a configuration file', ({ yaml }) => ({ kind: 'config', name: 'report', file: yaml })],
  ]
  test.each(kinds)('%s', async (_, referenceTo) => {
    const { here, orchestrator, facts } = await team({}, stuck)
    const reference = referenceTo(await files())
    const run = orchestrator.run(reference, 'go', { id: 'r1' })
    await run.begun
    expect(run.agents).toEqual(['a', 'b'])
    const [started] = await facts('r1')
    expect(started).toMatchObject({
      type: 'RunStarted',
      data: { workflow: reference, hash: expect.any(String) },
    })
    await until(() => here.clock.pending >= 2)
    await Promise.all([run.pause(), expect(run).rejects.toMatchObject({ _tag: 'RunInterruptedError' })])
    await orchestrator.close()
    const again = await here.open(by)
    expect(await again.orchestrator.runs.plan('r1')).toMatchObject({
      reused: [{ agent: 'a' }],
      rerun: [{ agent: 'b' }],
    })
    expect(await again.orchestrator.runs.resume('r1')).toMatchObject({
      success: true,
      metadata: { finalOutput: 'by b', reused: 1 },
    })
    expect((await facts('r1')).find(({ type }) => type === 'RunResumed')?.data).toEqual({})
  })

  test('a module', async () => {
    const { module } = await files()
    const { orchestrator, facts } = await team()
    const reference = { kind: 'module', file: module, export: 'report' } as const
    expect(await orchestrator.run(reference, 'go', { id: 'r1' })).toMatchObject({ pattern: 'report' })
    const [started] = await facts('r1')
    expect(started?.data).toMatchObject({
      workflow: reference,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test.each(Object.entries(TEMPLATES))('the template %s, with its missing agents', async (name, Template) => {
    const { orchestrator, facts } = await team()
    await orchestrator.createAgent({ ...Template.roles[0], systemPrompt: 'You were here before.' } as never)
    const result = await orchestrator.run({ kind: 'template', name }, 'tides', { id: 'r1' })
    expect(result).toMatchObject({ success: true, pattern: name, agents: Template.roles.map(({ id }) => id) })
    expect((await orchestrator.agent(Template.roles[0]?.id as string)).snapshot.context.config).toMatchObject(
      {
        systemPrompt: 'You were here before.',
      },
    )
    expect((await facts('r1'))[0]?.data).toMatchObject({
      workflow: { kind: 'template', name },
      hash: expect.any(String),
    })
  })

  test('a pattern that the program offers by name', async () => {
    const { here, orchestrator, facts } = await team({ workflows: { report: twice } }, stuck)
    const run = orchestrator.run('report', 'go', { id: 'r1' })
    await run.begun
    expect((await facts('r1'))[0]?.data).toMatchObject({
      name: 'report',
      workflow: { kind: 'program', name: 'report' },
    })
    await until(() => here.clock.pending >= 2)
    await Promise.all([run.pause(), expect(run).rejects.toMatchObject({ _tag: 'RunInterruptedError' })])
    await orchestrator.close()
    const without = await here.open(by)
    await expect(without.orchestrator.runs.resume('r1')).rejects.toMatchObject({
      _tag: 'WorkflowNotBuiltError',
      message: expect.stringContaining('this program offers no "report"'),
    })
    await without.orchestrator.close()
    const again = await here.open(by, { workflows: { report: twice } })
    expect(await again.orchestrator.runs.resume('r1')).toMatchObject({ metadata: { reused: 1 } })
  })
})

describe('a workflow that cannot be built', () => {
  const problems: readonly (readonly [string, string | WorkflowReference, string])[] = [
    ['an unknown name', 'reprot', 'Did you mean "report"?'],
    ['an unknown template', { kind: 'template', name: 'reserch' }, 'Did you mean "research"?'],
    [
      'a module that is not there',
      { kind: 'module', file: 'none.mjs', export: 'x' },
      'there is no such module',
    ],
    [
      'a part that no file has',
      { ...agents, agents: [{ workflow: 'other' }] },
      'there is no "other" in the configuration file',
    ],
    ['an unknown kind', { kind: 'magic' } as never, 'is an unknown kind of workflow'],
    ['nothing', undefined as never, 'it is missing'],
  ]
  test.each(problems)('is refused before anything is written: %s', async (_, workflow, words) => {
    const { here, orchestrator } = await team({ workflows: { report: twice } })
    const head = await here.store.head()
    const run = orchestrator.run(workflow, 'go')
    await expect(run).rejects.toMatchObject({
      _tag: 'InvalidInputError',
      message: expect.stringContaining(words),
    })
    await expect(run.begun).rejects.toMatchObject({ _tag: 'InvalidInputError' })
    expect(await here.store.head()).toBe(head)
  })

  test('a pattern that is offered must be one', async () => {
    await expect(team({ workflows: { report: 'twice' as never } })).rejects.toMatchObject({
      _tag: 'InvalidInputError',
      message: expect.stringContaining('The workflow "report"'),
    })
  })
})

describe('a definition that has changed', () => {
  /** A run that was paused in its second step. */
  async function paused(reference: WorkflowReference) {
    const { here, orchestrator, facts } = await team({}, stuck)
    const run = orchestrator.run(reference, 'go', { id: 'r1' })
    await until(() => here.clock.pending >= 2)
    await Promise.all([run.pause(), expect(run).rejects.toMatchObject({ _tag: 'RunInterruptedError' })])
    await orchestrator.close()
    return { ...(await here.open(by)), facts }
  }

  test('is told, shown by the plan, and taken only where that is asked for', async () => {
    const { yaml, write } = await files()
    const reference = { kind: 'config', name: 'report', file: yaml } as const
    const { orchestrator, runner, facts } = await paused(reference)
    await write('Shorten:')
    for (const run of [
      () => orchestrator.runs.resume('r1'),
      () => orchestrator.run(reference, 'go', { id: 'r1' }),
    ])
      await expect(run()).rejects.toMatchObject({
        _tag: 'WorkflowChangedError',
        hint: expect.stringMatching(/workflow resume r1 --plan.*workflow resume r1 --accept-changes/),
      })
    expect(await orchestrator.runs.plan('r1')).toMatchObject({
      reused: [{ agent: 'a' }],
      rerun: [{ agent: 'b' }],
    })
    expect(await orchestrator.runs.resume('r1', undefined, { acceptChanges: true })).toMatchObject({
      metadata: { reused: 1 },
    })
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['Shorten: by a'])
    const { hash } = await buildWorkflow(reference)
    expect((await facts('r1')).find(({ type }) => type === 'RunResumed')?.data).toEqual({
      workflow: reference,
      hash,
    })
    // A fork continues what its run has become.
    await orchestrator.runs.fork('r1', { at: 2, as: 'r2' })
    expect((await facts('r2'))[0]?.data).toMatchObject({ workflow: reference, hash })
  })

  test('is one that a part of it had, and not one of its neighbours', async () => {
    const { yaml, write } = await files()
    const hashOf = async (name: string) => (await buildWorkflow({ kind: 'config', name, file: yaml })).hash
    const before = [await hashOf('report'), await hashOf('rest'), await hashOf('other')]
    await write('Shorten:')
    const after = [await hashOf('report'), await hashOf('rest'), await hashOf('other')]
    expect(after.map((hash, index) => hash === before[index])).toEqual([false, false, true])
  })

  test('of a module is loaded as it is now', async () => {
    const { module, write } = await files()
    const reference = { kind: 'module', file: module, export: 'report' } as const
    const loaded = async () => {
      const { pattern, hash } = await buildWorkflow(reference)
      const prompts: string[] = []
      pattern((_, { prompt }) => {
        prompts.push(prompt)
        return EMPTY
      })(EMPTY)
      return { hash, prompts }
    }
    const first = await loaded()
    await write('Shorten:')
    const second = await loaded()
    expect([first.prompts, second.prompts]).toEqual([['Edit:'], ['Shorten:']])
    expect(second.hash).not.toBe(first.hash)
    await write('Edit:')
    expect(await loaded()).toEqual(first)
  })

  test('that is gone says so', async () => {
    const { yaml } = await files()
    const { orchestrator } = await paused({ kind: 'config', name: 'report', file: yaml })
    await writeFile(yaml, 'workflows: []\n')
    await expect(orchestrator.runs.resume('r1')).rejects.toMatchObject({
      _tag: 'WorkflowNotBuiltError',
      message: expect.stringContaining('there is no "report" in the configuration file'),
    })
    await rm(yaml)
    await expect(orchestrator.runs.resume('r1')).rejects.toMatchObject({ _tag: 'WorkflowNotBuiltError' })
  })
})
