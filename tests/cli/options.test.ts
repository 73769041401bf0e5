/** Options that change what a command does, each run once; and no option of the command line is left without a test. */
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { commandProgram } from '../../src/cli/program.ts'
import { terminal } from '../../src/cli/terminal/output.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { type SimulatedModelOptions, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from './command.ts'

/** A command line with agents of these names, and the model that answers them. */
async function team(names: readonly string[], script: SimulatedModelOptions = {}) {
  const model = await simulatedModel(script)
  const cli = await quickCommandLine(model.environment)
  {
    await using orchestrator = await Orchestrator.open({ baseDir: join(cli.folder, '.claude-agents') })
    for (const id of names)
      await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.`, retry: { attempts: 0 } })
  }
  const json = async (...words: string[]) => {
    const { values, exitCode, stderr } = await cli.run([...words, '--json'])
    return { values, exitCode, stderr }
  }
  return { ...cli, model, json }
}

test('--concurrency bounds how many agents of a workflow work at once', async () => {
  const { model, json } = await team(['a', 'b', 'c'], { maxInFlight: 1 })
  await using _ = model
  const words = ['workflow', 'run', 'a', 'b', 'c', 'go', '--pattern', 'parallel', '--concurrency', '1']
  expect((await json(...words)).values).toMatchObject([{ success: true, agents: ['a', 'b', 'c'] }])
  expect(model.refusedCount).toBe(0)
  expect(await json(...words.slice(0, -1), '0')).toMatchObject({ exitCode: 2 })
})

test('--on-error fail ends a workflow with the first agent that fails, collect keeps the other answers', async () => {
  const { model, json } = await team(['a', 'b'], {
    reply: ({ system }) => (system.includes('You are b.') ? answer.failure(413) : 'fine'),
  })
  await using _ = model
  const words = ['workflow', 'run', 'a', 'b', 'go', '--pattern', 'parallel', '--on-error']
  expect(await json(...words, 'collect')).toMatchObject({ exitCode: 1, values: [{ results: { a: 'fine' } }] })
  const [failed] = (await json(...words, 'fail', '--concurrency', '1')).values
  expect(failed).toMatchObject({ success: false, errors: [{ agent: 'b' }] })
  expect((await json(...words, 'ignore')).exitCode).toBe(2)
})

test('--votes and --judge say how often voters are asked and who decides; --fallback who answers without a route', async () => {
  const { model, json } = await team(['voter', 'judge', 'desk'], {
    reply: ({ system }) => (system.includes('You are judge.') ? '1' : 'neither of them'),
  })
  await using _ = model
  const vote = ['workflow', 'run', 'voter', 'go', '--pattern', 'vote', '--votes', '2']
  expect((await json(...vote)).values).toMatchObject([{ agents: ['voter'], metadata: { steps: 2 } }])
  expect((await json(...vote, '--judge', 'judge')).values).toMatchObject([{ agents: ['voter', 'judge'] }])
  const route = [
    'workflow',
    'run',
    'desk',
    'voter',
    'judge',
    'go',
    '--pattern',
    'route',
    '--fallback',
    'desk',
  ]
  expect((await json(...route)).values).toMatchObject([
    { success: true, agents: ['desk'], metadata: { steps: 2 } },
  ])
})

test('budget set and show take --tokens and --run, and keep the limit that is not named', async () => {
  const { model, json } = await team(['a'])
  await using _ = model
  await json('workflow', 'run', 'a', 'go', '--id', 'r1')
  const set = async (...words: string[]) => (await json('budget', 'set', '--run', 'r1', ...words)).values[0]
  expect(await set('--tokens', '5000', '--usd', '2')).toMatchObject({
    ...{ scope: { run: 'r1' }, limit: { usd: 2, tokens: 5000 } },
  })
  expect(await set('--tokens', '6000')).toMatchObject({ limit: { usd: 2, tokens: 6000 } })
  const [shown] = (await json('budget', 'show', '--run', 'r1')).values
  expect(shown).toMatchObject({ scope: { run: 'r1' }, limit: { usd: 2, tokens: 6000 } })
  expect((await json('budget', 'set', '--tokens', '1.5')).exitCode).toBe(2)
})

test('fork --run branches off a run, whose answers before the step are reused', async () => {
  const { model, json } = await team(['a', 'b'])
  await using _ = model
  await json('workflow', 'run', 'a', 'b', 'go', '--id', 'r1')
  expect(await json('fork', '--run', 'r1', '--at', '2', '--as', 'r2')).toMatchObject({ exitCode: 0 })
  const before = model.requestCount
  expect((await json('workflow', 'resume', 'r2')).values).toMatchObject([
    { runId: 'r2', metadata: { reused: 1 } },
  ])
  expect(model.requestCount).toBe(before + 1)
})

test('why --forward shows what a fact led to; tail --lines the latest facts; top takes an --interval', async () => {
  const { model, json, run } = await team(['a'])
  await using _ = model
  await json('agent', 'ask', 'a', 'hello')
  const facts = (await json('log')).values
  const types = (lines: readonly { readonly type?: string }[]) => lines.map(({ type }) => type)
  const accepted = facts.find(({ type }) => String(type) === 'TaskAccepted')
  const forward = (await json('why', String(accepted?.position), '--forward')).values
  expect(types(forward)).toEqual(expect.arrayContaining(['TaskAccepted', 'CallStarted', 'CallSucceeded']))
  const back = (await json('why', String(accepted?.position))).values
  expect(types(back)).not.toContain('CallSucceeded')
  expect((await json('tail', '--lines', '2', '--no-follow')).values).toEqual(facts.slice(-2))
  expect((await run(['top', '--once', '--interval', '5'])).stdout).toContain('1 agent')
  expect(await run(['top', '--interval', '0'])).toMatchObject({ exitCode: 2 })
})

test('--no-color prints without colours where a terminal would have them', () => {
  const { isTTY } = process.stdout
  onTestFinished(() => {
    process.stdout.isTTY = isTTY
    vi.unstubAllEnvs()
  })
  process.stdout.isTTY = true
  vi.stubEnv('NO_COLOR', undefined)
  const styled = (...words: string[]) => {
    const program = commandProgram()
    program.parseOptions(words)
    return terminal({ color: program.opts().color }).style('red', 'x')
  }
  expect(styled()).toBe('\x1b[31mx\x1b[39m')
  expect(styled('--no-color')).toBe('x')
})

test('demo asks nothing where there is no folder for its --output', async () => {
  const { run, folder } = await quickCommandLine()
  const { exitCode, stderr } = await run(['demo', '--output', 'no/such/report.md'])
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(`there is no folder ${folder}/no/such`)])
  expect(readdirSync(folder)).toEqual([])
})

test('demo writes its report to --output', async () => {
  const { run, folder } = await quickCommandLine()
  expect(await run(['demo', 'tides', '--output', 'tides.md'])).toMatchObject({ exitCode: 0 })
  expect((await readFile(join(folder, 'tides.md'), 'utf8')).length).toBeGreaterThan(10)
})

const CLI = resolve(import.meta.dirname, '../../src/cli')
const TESTS = resolve(import.meta.dirname, '..')

/** The text of all files of a folder with one of these endings, except this one. */
const textOf = (folder: string, ...endings: string[]) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)) && !name.includes('node_modules'))
    // Programs of the docs come and go meanwhile.
    .filter((name) => !name.includes('.program-'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')

test('every option of every command is in some test', () => {
  const options = new Set(
    [...textOf(CLI, '.ts').matchAll(/(?:option|Option)\(\s*'(?:-\w, )?(--[a-z][a-z-]+)/g)].map(
      ([, name]) => name,
    ),
  )
  expect(options.size).toBeGreaterThan(60)
  const tests = textOf(TESTS, '.ts', '.mjs')
  const words = new Set(tests.match(/--[a-z][a-z-]+/g))
  expect([...options].filter((name) => !words.has(name ?? ''))).toEqual([])
})
