/** `apply`: what the configuration file declares, written to the log. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandLine } from '../command.ts'

test('apply writes the declared agents, says what has changed, and writes nothing twice', async () => {
  const { run, folder } = await commandLine()
  const declare = (prompt: string, more = '') =>
    writeFile(
      join(folder, 'claude-agents.yaml'),
      `agents:\n  - id: writer\n    system_prompt: ${prompt}\n${more}`,
    )
  expect(await run(['apply'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('there is no configuration file'),
  })
  await declare('You write.')
  const apply = async () => {
    const { exitCode, values } = await run(['--json', 'apply'])
    expect(exitCode).toBe(0)
    return values
  }
  expect(await apply()).toEqual([{ agent: 'writer', status: 'created' }])
  expect(await apply()).toEqual([{ agent: 'writer', status: 'unchanged' }])
  await declare('You write well.', '  - id: critic\n    system_prompt: You judge.\n')
  expect(await apply()).toEqual([
    { agent: 'writer', status: 'changed' },
    { agent: 'critic', status: 'created' },
  ])
})
