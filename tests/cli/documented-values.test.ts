/** Every value that the help names for an option or an argument is run, and every value in the docs is accepted. */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command, Option } from 'commander'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { completeProgram } from '../../src/cli/program.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { type SimulatedModel, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { few } from '../repetitions.ts'
import { quickCommandLine } from './command.ts'

/** `a, b or c`, and after a colon `a, b, c`: words that can be given. */
const CHOICE = /(?:[\w-]+(?: \(default\))?, )+[\w-]+(?: \(default\))?,? or [\w-]+/
const LIST = /: ([a-z]+(?:, [a-z]+){2,})/
const words = (list = '') =>
  list
    .replaceAll('(default)', '')
    .split(/,? or |, /)
    .map((word) => word.trim())

/** The values that the help of an option names. */
function valuesOf({ flags, description, argChoices = [], defaultValue, ...option }: Option): string[] {
  // A value that may be left out: a bracket within a value is part of its form.
  const optional = option.optional && !option.required
  if (!option.required && !optional) return []
  const [, main, rest] = /<(\w+)\[(\W\w+)\]>/.exec(flags) ?? []
  const text = description.replace(/[a-z] of [a-z].*$/, '')
  return [
    ...argChoices,
    ...(typeof defaultValue === 'string' || typeof defaultValue === 'number' ? [String(defaultValue)] : []),
    ...(main === undefined ? [] : [main, `${main}${rest}`]),
    ...(optional ? ['', 'why'] : []),
    ...(argChoices.length > 0 ? [] : [...words(CHOICE.exec(text)?.[0]), ...words(LIST.exec(text)?.[1])]),
    ...(/, or none$/.test(description) ? ['none'] : []),
    ...[...description.matchAll(/\b\d+[smhd]\b/g)].map(([value]) => value),
    ...[...description.matchAll(/\((?:env: \w+; )?default: ([^\s;)]+)[;)]/g)].map(([, value = '']) => value),
    ...[...description.matchAll(/such as ([^\s,)]+)/g)].map(([, value = '']) => value),
    ...(/with -,/.test(description) ? ['-'] : []),
  ].filter((value, index, all) => (value !== '' || optional) && all.indexOf(value) === index)
}

/** The values that the help of a command names for its arguments. */
function argumentValues(command: Command): string[] {
  const description = command.description()
  return [
    ...command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
    ...words(new RegExp(`^run (${CHOICE.source}),`).exec(description)?.[1]).filter((word) => word !== ''),
    ...[...description.matchAll(/\b[a-z]+:\d\b/g)].map(([value]) => value),
    ...(/(with|;) - /.test(description) ? ['-'] : []),
  ]
}

type Documented = Map<string, readonly string[]>

/** By `command --option`; for arguments by `command`. */
async function documented(): Promise<Documented> {
  const found: Documented = new Map()
  const add = (name: string, values: readonly string[]) => values.length > 0 && found.set(name, values)
  const walk = (command: Command, path: string) => {
    for (const option of command.options) add(`${path} ${option.long}`.trim(), valuesOf(option))
    add(path, argumentValues(command))
    for (const inner of command.commands) walk(inner, `${path} ${inner.name()}`.trim())
  }
  walk(await completeProgram(), '')
  return found
}

let made = 0
const fresh = () => `new-${++made}`
const run = (...more: string[]) => ['workflow', 'run', 'a', 'researcher', 'go', ...more]
const ask = (...more: string[]) => ['agent', 'ask', 'a', 'hello', ...more]
const schedule = (prompt: string) => ['schedule', 'add', fresh(), prompt, '--agent', 'a']
const createIn = (id: string) => ['agent', 'create', id, 'You work.', '--repo', 'repo']
const adoptIn = (id: string) => ['agent', 'adopt', 'session.jsonl', '--as', id, '--repo', 'repo']
/** What every command takes that says how an agent is: its options, and with a repository those of its workspace. */
const ofAgents = Object.fromEntries(
  Object.entries({
    create: createIn,
    adopt: adoptIn,
    // What its workspace begins from stays as it is.
    edit: () => ['agent', 'edit', 'dev'],
  }).flatMap(([command, words]) => [
    ...['--effort', '--on-message', '--timeout', '--base', '--commit'].map((option) => [
      `agent ${command} ${option}`,
      (value: string) => [...words(fresh()), option, value],
    ]),
    [
      `agent ${command} --team`,
      (value: string) => [...words(fresh()), '--team', ...(value === '' ? [] : ['ask_agent'])],
    ],
    [
      `agent ${command} --branch`,
      (value: string) => {
        const id = command === 'edit' ? 'dev' : fresh()
        return [...words(id), '--branch', value.replace('ID', id)]
      },
    ],
  ]),
) as Readonly<Record<string, (value: string) => readonly string[]>>
const place = (value: string, source: string) =>
  value.replace('src', source).replace('target', `${fresh()}/placed`)

interface Running {
  readonly words: readonly string[]
  readonly input?: string
  readonly exitCode?: number
}

/** How a value is run; each of them in one store with the agents `a` and `researcher` and the run `r1`. */
const RUNS: Readonly<Record<string, (value: string) => Running | readonly string[]>> = {
  '--base-dir': (value) => ['--base-dir', value, 'agent', 'list'],
  '--set': (value) => ['--set', value, 'config', 'show'],
  '--log-level': (value) => ['--log-level', value, 'agent', 'list'],
  completion: (value) => ['completion', value],
  'demo --output': (value) => ['--base-dir', fresh(), 'demo', '--output', value],
  ...ofAgents,
  fleet: (value) => ({ words: ['fleet', value, '--repo', 'repo'], input: 'Look around.' }),
  'fleet --repo': (value) => ['fleet', 'Look around.', '--repo', `repo/${value}`],
  'fleet --base': (value) => ['fleet', 'Look around.', '--repo', 'repo', '--base', value],
  'agent ask': (value) => ({ words: ['agent', 'ask', 'a', value], input: 'hello' }),
  'agent ask --text': (value) => ({ words: ask('--text', value), input: 'a text' }),
  'agent ask --file': (value) => ask('--file', place(value, 'notes.txt')),
  'agent ask --folder': (value) => ask('--folder', place(value, 'docs')),
  // Cloned in tests/workspaces/inputs: here the form is read, and a host that does not exist is not found.
  'agent ask --repo': (value) => ({
    words: ask('--repo', value.replace('url', 'https://localhost:1/x.git').replace('ref', 'main')),
    exitCode: 1,
  }),
  'agent ask --approval': (value) => ({
    words: ask('--task-id', fresh(), '--approval', ...(value === '' ? [] : [value])),
    exitCode: 75,
  }),
  'agent cancel --reason': (value) => ['agent', 'cancel', 'a', '--reason', value],
  'serve --finish-within': (value) => ['serve', '--finish-within', value],
  'serve --idle-timeout': (value) => ['serve', '--idle-timeout', value],
  'workflow run': (value) =>
    value === '-'
      ? { words: ['workflow', 'run', 'a', value], input: 'go' }
      : ['workflow', 'run', value.replace('worker', 'a'), 'go', '--pattern', 'parallel'],
  'workflow run --pattern': (value) =>
    run('--pattern', value, ...(value === 'route' ? ['--fallback', 'a'] : [])),
  'workflow run --on-error': (value) => run('--pattern', 'parallel', '--on-error', value),
  'workflow run --split': (value) => run('--pattern', 'map-reduce', '--split', value),
  'workflow run --session': (value) => ['workflow', 'run', 'a', 'go', '--session', value],
  'workflow run --export': (value) => ['workflow', 'run', 'go', '--module', 'flow.mjs', '--export', value],
  'workflow template': (value) =>
    value === '-'
      ? { words: ['workflow', 'template', 'brainstorm', value], input: 'features' }
      : ['workflow', 'template', value, 'features'],
  'workflow template --session': (value) => ['workflow', 'template', 'research', 'x', '--session', value],
  'workflow resume --export': (value) => [
    ...['workflow', 'resume', 'r2', '--plan', '--module', 'flow.mjs', '--export', value],
  ],
  'budget set --usd': (value) => ['budget', 'set', '--usd', value],
  'budget set --tokens': (value) => ['budget', 'set', '--tokens', value],
  'message publish': (value) => ({ words: ['message', 'publish', 'news', value], input: 'go' }),
  'note write': (value) => ({ words: ['note', 'write', fresh(), value], input: 'go' }),
  'message send': (value) => ({ words: ['message', 'send', 'a', value], input: 'go' }),
  'schedule add': (value) => ({ words: [...schedule(value), '--cron', '@daily'], input: 'go' }),
  'schedule add --cron': (value) => [...schedule('go'), '--cron', value],
  'schedule add --timezone': (value) => [...schedule('go'), '--cron', '@daily', '--timezone', value],
  'schedule add --missed': (value) => [...schedule('go'), '--cron', '@daily', '--missed', value],
  'attach --tasks': (value) => ['attach', 'r1', '--tasks', value],
  'tail --stream': (value) => ['tail', '--no-follow', '--stream', value],
  'tail --since': (value) => ['tail', '--no-follow', '--since', value],
  'tail --lines': (value) => ['tail', '--no-follow', '--lines', value],
  'top --interval': (value) => ['top', '--once', '--interval', value],
  'log --stream': (value) => ['log', '--stream', value],
  'log --since': (value) => ['log', '--since', value],
  'log export --stream': (value) => ['log', 'export', '--stream', value],
  'log import': (value) => ({ words: ['log', 'import', value, '--to', fresh()], input: EXPORT }),
  // The store is younger.
  // There is no database.
  'worker --label': (value) => ({ words: ['worker', '--label', value], exitCode: 2 }),
  'state --at-time': (value) => ({ words: ['state', 'agent/a', '--at-time', value], exitCode: 1 }),
  'stats --by': (value) => ['stats', '--by', value],
}

const values = await documented()
let cli: Awaited<ReturnType<typeof quickCommandLine>>
let model: SimulatedModel
let EXPORT = ''

beforeAll(async () => {
  model = await simulatedModel()
  cli = await quickCommandLine(model.environment, false)
  const { folder } = cli
  {
    const runner = scriptedRunner()
    await using orchestrator = await Orchestrator.open({ baseDir: join(folder, '.claude-agents'), runner })
    // A repository that cannot be reached is not tried again.
    for (const id of ['a', 'researcher'])
      await orchestrator.createAgent({ id, systemPrompt: 'You work.', retry: { attempts: 0 } })
    await orchestrator.run(sequential(['a', 'researcher']), 'go', { id: 'r1' })
    await orchestrator.runs.fork('r1', { at: 2, as: 'r2' })
  }
  await mkdir(join(folder, 'docs'))
  await writeFile(join(folder, 'docs/one.txt'), 'one')
  await writeFile(join(folder, 'notes.txt'), 'notes')
  const transcript = resolve(import.meta.dirname, '../claude/fixtures/transcripts/2.1.330-answered.jsonl')
  await copyFile(transcript, join(folder, 'session.jsonl'))
  const me = ['-c', 'user.name=Me', '-c', 'user.email=me@example.com']
  await execa('git', ['init', '--quiet', join(folder, 'repo')])
  await execa('git', [...me, '-C', join(folder, 'repo'), 'commit', '--quiet', '--allow-empty', '-m', 'Begin'])
  await cli.run(createIn('dev'))
  const index = resolve(import.meta.dirname, '../../dist/index.js')
  await writeFile(
    join(folder, 'flow.mjs'),
    `import { sequential } from '${index}'\nexport default sequential(['a', 'researcher'])\n`,
  )
  EXPORT = (await cli.run(['log', 'export'])).stdout
})
afterAll(async () => {
  await model.close()
  await cli.remove()
})

test('a value that the help names is refused here unless it is run', () => {
  expect(values.size).toBeGreaterThan(30)
  expect([...values.keys()].filter((name) => !(name in RUNS))).toEqual([])
  expect(Object.keys(RUNS).filter((name) => !values.has(name))).toEqual([])
})

test.each([...values])('every value that the help names is run: %s', async (name, list) => {
  for (const value of few(3, list)) {
    const given = RUNS[name]?.(value) ?? []
    const { words, input, exitCode } = 'words' in given ? given : { words: given as readonly string[] }
    if (words[0] === 'serve') await serves(cli.start(...words))
    else {
      const ran = await cli.run(words, input)
      expect([words, ran.exitCode, ran.stderr]).toEqual([words, exitCode ?? 0, expect.any(String)])
    }
  }
})

/** A service that starts, and ends when it is asked to. */
async function serves(service: ReturnType<Awaited<ReturnType<typeof quickCommandLine>>['start']>) {
  onTestFinished(() => void service.kill('SIGKILL'))
  let said = ''
  service.stdout?.on('data', (data) => {
    said += data
  })
  await vi.waitFor(() => expect(said).toContain('Serving'), { timeout: 30_000, interval: 50 })
  service.kill('SIGTERM')
  expect((await service).exitCode).toBe(0)
}

const ROOT = resolve(import.meta.dirname, '../..')

test('every value that the docs give to an option is one that it accepts', async () => {
  const program = await completeProgram()
  const options = new Map<string, Option[]>()
  const walk = (command: Command) => {
    for (const option of command.options)
      if (option.long) options.set(option.long, [...(options.get(option.long) ?? []), option])
    command.commands.forEach(walk)
  }
  walk(program)
  const files = (await readdir(join(ROOT, 'docs'))).filter((file) => file.endsWith('.md'))
  const texts = await Promise.all(
    ['README.md', ...files.map((file) => join('docs', file))].map((file) =>
      readFile(join(ROOT, file), 'utf8'),
    ),
  )
  const accepts = (option: Option, value: string) => {
    try {
      if (option.argChoices) return option.argChoices.includes(value)
      option.parseArg?.(value, undefined as never)
      return true
    } catch {
      return false
    }
  }
  const given = texts
    .join('\n')
    .matchAll(/claude-agents[^`\n]*? (--[a-z-]+) ([a-z0-9][\w.:/#-]*|-)(?=[\s`"'])/g)
  const wrong: string[] = []
  let count = 0
  for (const [, name = '', value = ''] of given) {
    const known = (options.get(name) ?? []).filter(({ required, optional }) => required || optional)
    if (known.length === 0) continue
    count++
    if (!known.some((option) => accepts(option, value))) wrong.push(`${name} ${value}`)
  }
  expect(count).toBeGreaterThan(10)
  expect(wrong).toEqual([])
})
