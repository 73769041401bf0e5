/** Commands in a repository whose configuration file the user has not written. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { completeProgram } from '../../../src/cli/program.ts'
import { quickCommandLine } from '../command.ts'

/** Every command that only reads. */
const READING: readonly (readonly string[])[] = [
  ...[
    ['agent', 'list'],
    ['agent', 'show', 'a'],
    ['agent', 'path', 'a'],
    ['agent', 'export', 'a'],
    ['agent', 'sessions', 'a'],
    ['agent', 'held'],
  ],
  ...[
    ['budget', 'show'],
    ['budget', 'list'],
    ['account', 'list'],
    ['late-answers'],
    ['ps'],
    ['metrics'],
    ['stats'],
  ],
  ...[
    ['workflow', 'list'],
    ['workflow', 'show', 'r1'],
    ['workflow', 'diff', 'r1'],
    ['workflow', 'report', 'r1'],
    ['message', 'list', 'a'],
    ['schedule', 'list'],
    ['topic', 'list'],
    ['note', 'list'],
    ['note', 'read', 'n1'],
    ['note', 'history', 'n1'],
    ['workflow', 'resume', 'r2', '--plan'],
  ],
  ...[
    ['log'],
    ['log', 'verify'],
    ['tail', '--no-follow'],
    ['top', '--once'],
    ['attach', 'r1'],
    ['wait', 'r1'],
    ['why', '2'],
    ['why', 'none'],
  ],
  ...[
    ['replay', 'agent/a'],
    ['replay', '--verify'],
    ['state', 'agent/a'],
    ['diff', 'agent/a', '1', '2'],
  ],
  ...[
    ['ls'],
    ['status'],
    ['log', 'hash'],
    ['config', 'show'],
    ['config', 'path'],
    ['config', 'validate'],
    ['doctor'],
    ['complete', '--', 'agent', 'show', ''],
  ],
]

/** Every other command: it changes something, needs no store, or does not end by itself. */
const OTHERS = [
  ...[
    'agent adopt',
    'agent approve',
    'agent ask',
    'agent cancel',
    'agent create',
    'agent diff',
    'agent edit',
    'agent files',
    'agent import',
    'agent open',
    'agent reject',
    'agent remove',
    'agent reset',
    'agent undo',
  ],
  ...[
    'account resume',
    'budget set',
    'config trust',
    'config untrust',
    'fleet',
    'fork',
    ...['inbox answer', 'inbox approve', 'inbox deny'],
    'inspect',
    'interactive',
    'land',
    ...['mcp', 'message publish', 'message send', 'note write', 'topic subscribe', 'topic unsubscribe'],
    'notify test',
    'recover',
  ],
  ...['log backup', 'log compact', 'log export', 'log import', 'log repair', 'log restore', 'rerun'],
  ...['serve status', 'serve stop'],
  ...['add', 'pause', 'remove', 'resume', 'run'].map((name) => `schedule ${name}`),
  ...['apply', 'cluster drain', 'cluster workers', 'worker'],
  ...['workflow cancel', 'workflow run', 'workflow template'],
  ...['completion', 'demo', 'help', 'init', 'version'],
]

test('each command is known to read only, or to do more', async () => {
  const names = (command: Command, before: readonly string[]): readonly string[] => {
    const own = [...before, command.name()]
    const below = command.commands.flatMap((each) => names(each, own))
    return below.length === 0 ? [own.join(' ')] : below
  }
  const program = await completeProgram()
  const reading = (name: string) => READING.some((words) => `${words.join(' ')} `.startsWith(`${name} `))
  const others = program.commands.flatMap((each) => names(each, [])).filter((name) => !reading(name))
  expect(others.toSorted()).toEqual(OTHERS.toSorted())
})

test('no command that only reads writes anything, whatever the configuration declares', async () => {
  const { folder, run } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'mine', '--tools', 'Bash'])
  await run(['workflow', 'run', 'a', 'hello', '--id', 'r1'])
  const facts = async () => (await run(['log', '--json'])).stdout
  const before = await facts()
  await writeFile(
    join(folder, 'claude-agents.yaml'),
    `agents: [{ id: a, system_prompt: theirs }, { id: b, system_prompt: new }]
budget: { usd: 3 }
logging: { level: warn, file: ./agents.log }
`,
  )
  for (const words of READING) {
    const { stdout, stderr } = await run(words)
    expect({ words, said: stdout + stderr }).toMatchObject({ said: expect.stringMatching(/./) })
  }
  expect(await facts()).toBe(before)
  expect(await readdir(folder)).not.toContain('agents.log')
  // The first command that changes something writes what is declared.
  await run(['agent', 'reset', 'a'])
  const added = (await facts()).slice(before.length)
  for (const type of ['AgentConfigured', 'AgentCreated', 'BudgetSet', 'AgentReset'])
    expect(added).toContain(type)
})

test('where there is no store, a command that only reads makes none', async () => {
  const { folder, run } = await quickCommandLine()
  await writeFile(join(folder, 'claude-agents.yaml'), 'agents: [{ id: a, system_prompt: x }]\n')
  for (const words of READING) await run(words)
  expect(await readdir(folder)).toEqual(['claude-agents.yaml'])
})

test('a repository cannot change the agents of another store, or grant tools, until its file is trusted', async () => {
  const { folder, run } = await quickCommandLine()
  const mine = join(folder, 'mine')
  await run(['--base-dir', mine, 'agent', 'create', 'dev', 'I am mine'])
  const facts = async () =>
    (await run(['--config', '/dev/null', '--base-dir', mine, 'log', '--json'])).values.length
  const file = join(folder, 'repo/claude-agents.yaml')
  await mkdir(join(folder, 'repo'))
  const declare = (prompt: string) =>
    writeFile(
      file,
      `orchestrator: { base_dir: ../mine }\nagents: [{ id: dev, system_prompt: ${prompt}, allowed_tools: [Bash] }]\n`,
    )
  await declare('theirs')
  const inRepo = (...words: string[]) => run(words, '', 'repo')
  for (const words of [
    ['agent', 'list'],
    ['agent', 'create', 'x', 'x'],
    ['agent', 'ask', 'dev', 'hello'],
    ['serve'],
  ]) {
    const { exitCode, stderr } = await inRepo(...words)
    expect({ words, exitCode, stderr }).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('config trust'),
    })
    expect(stderr).toContain(`${file}:1:27: the base directory`)
    expect(stderr).toContain('it grants tools to dev')
  }
  expect(await facts()).toBe(1)
  expect(await inRepo('config', 'show')).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining('not trusted'),
  })
  expect((await inRepo('doctor')).stdout).toContain('config trust')

  expect(await inRepo('config', 'trust')).toMatchObject({
    exitCode: 0,
    stdout: `Trusted ${file} as it is now.`,
  })
  expect(await inRepo('agent', 'reset', 'dev')).toMatchObject({ exitCode: 0 })
  expect(await facts()).toBe(3)
  await declare('changed')
  expect((await inRepo('agent', 'list')).stderr).toContain('has changed since you trusted it')
  expect(await inRepo('--config', 'claude-agents.yaml', 'agent', 'list')).toMatchObject({ exitCode: 0 })
  expect((await inRepo('config', 'untrust', '--json')).values).toEqual([{ file, trusted: false }])
  await declare('theirs')
  expect(await inRepo('agent', 'list')).toMatchObject({ exitCode: 1 })
})

test('a file that init wrote is trusted', async () => {
  const { folder, run } = await quickCommandLine()
  await run(['init', '--yes'])
  expect(await readdir(join(`${folder}-state`, 'claude-agents/trusted'))).toHaveLength(1)
  // Even if the directory is elsewhere by a link, which is what the user wants.
  expect((await run(['config', 'untrust'])).stdout).toBe(
    `${join(folder, 'claude-agents.yaml')} is no longer trusted.`,
  )
})
