/** A command and the process that has the store open mean different models: nothing is asked, and the command says why. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from '../command.ts'

async function ready({ stdout }: { readonly stdout: Readable | null }): Promise<void> {
  const lines: string[] = []
  stdout?.on('data', (data) => lines.push(String(data)))
  await vi.waitFor(() => expect(lines.join('')).toContain('"pid"'), { timeout: 30_000, interval: 50 })
}

const ASKING = [
  ['agent', 'ask', 'a', 'hello'],
  ['workflow', 'run', 'a', 'hello'],
  ['workflow', 'template', 'research', 'hello'],
  ['agent', 'approve', 'held-1'],
  ['account', 'resume'],
  ['recover'],
  ['serve'],
]

const refused = (words: readonly string[]) => ({
  words,
  exitCode: 2,
  stderr: expect.stringMatching(/Nothing was asked\.\n {2}Stop that process first/),
})

test('with --simulate, no command makes a process that has the store open ask the real model', async () => {
  await using model = await simulatedModel()
  const { folder, run, start } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'a', 'x'])
  const service = start('--json', 'serve')
  await ready(service)
  const owner = JSON.parse(await readFile(join(folder, '.claude-agents/owner.json'), 'utf8'))
  expect(owner).toMatchObject({ runner: 'claude' })
  for (const words of [...ASKING, ['agent', 'create', 'b', 'x'], ['agent', 'reset', 'a']])
    expect({ words, ...(await run(['--simulate', ...words])) }).toMatchObject(refused(words))
  expect(model.requestCount).toBe(0)
  expect((await run(['log', '--json'])).values).toHaveLength(1)
  for (const words of [
    ['agent', 'list'],
    ['agent', 'show', 'a'],
    ['account', 'list'],
    ['log'],
    ['top'],
    ['stats'],
  ])
    expect({ words, ...(await run(['--simulate', ...words])) }).toMatchObject({ words, exitCode: 0 })
  expect(await run(['agent', 'ask', 'a', 'hello'])).toMatchObject({ exitCode: 0 })
  expect(model.requestCount).toBe(1)
  service.kill('SIGTERM')
  await service
})

test('without --simulate, no command is answered by a process that simulates', async () => {
  await using model = await simulatedModel()
  const { run, start } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'a', 'x'])
  const service = start('--json', '--simulate', 'serve')
  await ready(service)
  for (const words of ASKING) {
    const { stderr, ...ended } = await run(words)
    expect({ words, stderr, ...ended }).toMatchObject(refused(words))
    expect(stderr).toContain('add --simulate to work through it')
  }
  expect((await run(['log', '--json'])).values).toHaveLength(1)
  const { stderr } = await run(['--json', 'agent', 'ask', 'a', 'hello'])
  expect(JSON.parse(stderr).error).toMatchObject({ code: 'OtherRunnerError' })
  // What asks for no answer works through any process.
  for (const words of [
    ['account', 'list'],
    ['account', 'resume', '--no-wait'],
  ])
    expect({ words, ...(await run(words)) }).toMatchObject({ words, exitCode: 0 })
  expect(await run(['agent', 'cancel', 'a'])).toMatchObject({ exitCode: 0 })
  expect(await run(['--simulate', 'agent', 'ask', 'a', 'hello'])).toMatchObject({ exitCode: 0 })
  expect(model.requestCount).toBe(0)
  service.kill('SIGTERM')
  await service
})
