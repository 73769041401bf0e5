/** `apply`: what the configuration file declares, written to the log. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { commandLine, quickCommandLine } from '../command.ts'

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

test('through the owner, a change creates what is declared and missing, and apply writes the rest', async () => {
  const { run, folder } = await quickCommandLine()
  const file = join(folder, 'claude-agents.yaml')
  const declare = (text: string) => writeFile(file, text)
  onTestFinished(async () => void (await run(['serve', 'stop', '--now'])))
  await declare('agents:\n  - { id: writer, system_prompt: You write. }\n')
  expect((await run(['serve', '--detach'])).exitCode).toBe(0)

  const critic = '  - { id: critic, system_prompt: You judge. }\n'
  const changed = `agents:\n  - { id: writer, system_prompt: You write well. }\n${critic}`
  const defaults = 'agent_defaults: { max_turns: 7 }\nbudget: { usd: 5 }\n'
  await declare(changed + defaults)
  expect((await run(['message', 'send', 'critic', 'Hello'])).exitCode).toBe(0)
  const prompts = async () => {
    const { values } = await run(['--json', 'log', '--type', 'AgentCreated', 'AgentConfigured'])
    return values.map(({ stream, data }) => {
      const { systemPrompt, maxTurns } = Reflect.get(Object(data), 'config')
      return [stream, systemPrompt, maxTurns]
    })
  }
  const before = [
    ['agent/writer', 'You write.', null],
    ['agent/critic', 'You judge.', 7],
  ]
  expect(await prompts()).toEqual(before)

  const applied = await run(['apply'])
  expect(applied.stdout).toBe('writer changed\ncritic unchanged')
  expect(applied.stderr).toContain('To change it now: claude-agents budget set')
  expect(await prompts()).toEqual([...before, ['agent/writer', 'You write well.', 7]])
  expect((await run(['apply'])).stdout).toBe('writer unchanged\ncritic unchanged')
})
