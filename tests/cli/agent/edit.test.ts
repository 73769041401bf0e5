import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TEAM_TOOLS } from '../../../src/events/options/tools.ts'
import { quickCommandLine } from '../command.ts'

test('agent edit changes what is given, unsets what is named, and shows what the agent is now', async () => {
  const { run, folder } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'You are a test.', '--tools', 'Read', 'Grep', '--max-turns', '3'])
  const [edited] = (await run(['agent', 'edit', 'a', '--model', 'opus', '--unset', 'max-turns', '--json']))
    .values
  const options = { systemPrompt: 'You are a test.', allowedTools: ['Read', 'Grep'], model: 'opus' }
  expect(edited).toMatchObject({ id: 'a', version: 2, ...options })
  expect(edited).not.toHaveProperty('maxTurns')
  expect((await run(['agent', 'show', 'a', '--json'])).values).toEqual([edited])
  const { stdout } = await run(['agent', 'edit', 'a', 'You test.', '--questions'])
  expect(stdout).toBe('Changed a, from its next call on.')
  const { stdout: shown } = await run(['agent', 'show', 'a'])
  expect(shown).toMatch(/system prompt +You test\.\n(.*\n)*model +opus\ntools +Read, Grep\n/)
  expect((await run(['agent', 'edit', 'a', '--model', 'opus'])).stdout).toBe('a is so already.')
  const [member] = (await run(['agent', 'edit', 'a', '--team', '--json'])).values
  expect(member).toMatchObject({ team: TEAM_TOOLS })
  const [some] = (await run(['agent', 'edit', 'a', '--team', 'ask_agent', '--json'])).values
  expect(some).toMatchObject({ team: ['ask_agent'] })

  const refused = async (...words: string[]) => {
    const { exitCode, stderr } = await run(['agent', 'edit', 'a', ...words])
    expect(exitCode).not.toBe(0)
    return stderr
  }
  expect(await refused()).toContain('it is not said what to change')
  expect(await refused('--unset', 'modle')).toContain('Did you mean "model"?')
  expect(await refused('--unset', 'model', '--model', 'opus')).toContain('both given and unset')
  expect(await refused('--team', 'ask')).toContain('ask_agent')
  expect(await refused('--repo', '.')).toContain('it works on no repository')
  await writeFile(join(folder, 'claude-agents.yaml'), 'agents:\n  - { id: a, system_prompt: You test. }\n')
  expect(await refused('--model', 'haiku')).toContain('claude-agents.yaml')
})
