/** What an agent may do: nothing outside its workspace, unless told explicitly. With the real `claude`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'
import { commandLine } from '../cli/command.ts'
import { everyCase } from '../repetitions.ts'

/** One task of an agent that is allowed these tools; `model` answers it. */
async function letAgent(options: readonly string[], tools: readonly ReturnType<typeof answer.toolUse>[]) {
  await using model = await simulatedModel({ reply: [...tools, 'Done.', 'Done again.'] })
  const { run, folder } = await commandLine({
    ...model.environment,
    CLAUDE_AGENTS_CLAUDE_PATH: REAL_CLAUDE,
    IS_SANDBOX: '1',
  })
  const created = await run(['agent', 'create', 'a', 'You help.', ...options])
  expect(created.exitCode).toBe(0)
  const asked = await run(['agent', 'ask', 'a', 'Help me.'])
  expect(asked).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Done.') })
  const [fact] = (await run(['log', '--json', '--limit', '1'])).values
  const { config } = (fact?.data ?? {}) as { config?: object }
  return { created, asked, config, workspace: join(folder, '.claude-agents/agents/a/workspace') }
}

const OUTSIDE = [
  answer.toolUse('Bash', { command: 'touch ../by-bash.txt' }),
  answer.toolUse('Write', { file_path: '../by-write.txt', content: 'x' }),
  answer.toolUse('Write', { file_path: 'inside.txt', content: 'x' }),
]

const made = (workspace: string) =>
  ['../by-bash.txt', '../by-write.txt', 'inside.txt'].filter((path) => existsSync(join(workspace, path)))

test('by default an agent writes only in its workspace and runs nothing, without a warning', async () => {
  const { asked, config, workspace } = await letAgent([], OUTSIDE)
  expect(made(workspace)).toEqual(['inside.txt'])
  expect(config).toMatchObject({ permissions: 'workspace' })
  expect(asked.stderr).toBe('')
})

test.runIf(everyCase)('a tool that is allowed by its name is confined to the workspace', async () => {
  const { workspace } = await letAgent(['--tools', 'Write,Edit'], OUTSIDE)
  expect(made(workspace)).toEqual(['inside.txt'])
})

test('an agent with a shell is not confined, and a warning says so', async () => {
  const { asked, workspace } = await letAgent(['--tools', 'Bash'], OUTSIDE)
  expect(made(workspace)).toEqual(['../by-bash.txt', 'inside.txt'])
  expect(asked.stderr).toContain('Agent "a" can run commands, which are not confined')
})

test('an agent that bypasses permissions may do everything: a fact, and a warning when it is created and when it runs', async () => {
  const { created, asked, config, workspace } = await letAgent(['--dangerously-skip-permissions'], OUTSIDE)
  expect(made(workspace)).toEqual(['../by-bash.txt', '../by-write.txt', 'inside.txt'])
  expect(config).toMatchObject({ permissions: 'bypass' })
  expect(created.stderr).toContain('without asking')
  expect(asked.stderr).toContain('runs without permission checks')
})
