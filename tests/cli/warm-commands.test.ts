/** Most tests run commands in a process that has run others before: it makes no difference to what they do. */
import { expect, test } from 'vitest'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { commandLine, quickCommandLine } from './command.ts'
import { runWarm } from './warm-commands.ts'

test('A command ends as it does in a process of its own, whatever ran before it', async () => {
  await using model = await simulatedModel()
  const { run, start } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'a', 'x'])
  for (const words of [
    ['--help'],
    ['agnet'],
    ['agent', 'list', '--json'],
    ['agent', 'show', 'b'],
    ['agent', 'ask', 'a', 'hello', '--task-id', 't'],
    ['log', '--type', 'CallSucceeded', '--json'],
    ['log', 'verify'],
    ['workflow', 'show', 'r1', '--json'],
    ['--base-dir', 'elsewhere', 'agent', 'list'],
  ]) {
    const { stdout, stderr, exitCode } = await start(...words)
    expect({ words, ...(await run(words)) }).toMatchObject({ words, stdout, stderr, exitCode })
  }
})

test('Commands that run at the same time have processes of their own', async () => {
  const { run } = await quickCommandLine()
  const ran = await Promise.all(['a', 'b', 'c'].map((id) => run(['agent', 'create', id, 'x'])))
  expect(ran.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0])
  expect((await run(['agent', 'list', '--json'])).values).toHaveLength(3)
})

test('A command that ends its process is an error', async () => {
  const { folder } = await commandLine()
  const command = { words: ['--help'], folder: `${folder}/missing`, environment: {}, input: '' }
  await expect(runWarm(command)).rejects.toThrow('claude-agents --help ended its process')
})
