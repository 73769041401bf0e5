/** With --json everything is JSON: data on stdout; errors, warnings and notes on stderr. */
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from './command.ts'

const parsed = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

test('with --json every line of stderr is JSON as well: warnings, notes and errors', async () => {
  await using model = await simulatedModel({ reply: () => answer.failure(413) })
  const { run, folder } = await quickCommandLine(model.environment)
  expect(parsed((await run(['agent', 'list', '--json'])).stderr)).toEqual([
    { note: expect.stringContaining('does not exist. Create an agent') },
  ])
  await mkdir(join(folder, 'source'))
  await symlink('/etc/passwd', join(folder, 'source/secret'))
  expect(parsed((await run(['agent', 'create', 'a', 'x', '--json'])).stderr)).toEqual([])
  const failed = await run(['agent', 'ask', 'a', 'Look', '--folder', 'source', '--json'])
  expect(failed.exitCode).toBe(1)
  expect(parsed(failed.stderr)).toMatchObject([
    { level: 'warn', agent: 'a', msg: expect.stringContaining('left out: "secret"') },
    { level: 'warn', agent: 'a', msg: 'a call failed', error: 'PromptTooLargeError' },
    { error: { code: 'PromptTooLargeError' } },
  ])
  const run1 = await run(['workflow', 'run', 'a', 'go', '--json'])
  expect(parsed(run1.stderr)).toMatchObject([{ level: 'warn', msg: 'a call failed' }])
  for (const words of [
    ['agent'],
    ['nonsense'],
    ['agent', 'ask', 'a'],
    ['log', '--nonsense'],
    ['config', 'path'],
  ])
    expect(parsed((await run([...words, '--json'])).stderr).length).toBeLessThanOrEqual(1)
})
