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
  await run(['agent', 'edit', 'a', '--on-message', 'hold'])
  expect((await run(['agent', 'show', 'a'])).stdout).toMatch(
    /asks you +yes, in the inbox\nits team +ask_agent\nmessages +wait for you, in the inbox\n/,
  )

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

test('agent create and edit take what an agent is equipped with, and no secret', async () => {
  const { run, folder } = await quickCommandLine()
  const docs = { command: './docs', env: { KEY: '$' + '{DOCS_KEY}' } }
  await writeFile(join(folder, 'servers.json'), JSON.stringify({ mcpServers: { docs } }))
  await writeFile(join(folder, 'rules.md'), 'Be brief.')
  const [created] = (
    await run([
      ...['agent', 'create', 'a', 'You are a test.', '--mcp-config', 'servers.json', '--add-dir', 'beside'],
      ...['--env', 'GREETING', '--plugin-dir', 'house', '--effort', 'low', '--fallback-model', 'haiku'],
      ...['--disallow', 'Bash', '--append-claude-md', 'rules.md', '--json'],
    ])
  ).values
  expect(created).toMatchObject({
    mcpServers: { docs: { ...docs, command: join(folder, 'docs') } },
    addDirs: [join(folder, 'beside')],
    env: ['GREETING'],
    plugins: [join(folder, 'house')],
    ...{ effort: 'low', fallbackModel: 'haiku', disallowedTools: ['Bash'], appendClaudeMd: 'Be brief.' },
  })
  const unset = ['mcp-config', 'add-dir', 'env', 'plugin-dir', 'effort', 'fallback-model', 'disallow']
  const [bare] = (await run(['agent', 'edit', 'a', '--unset', ...unset, 'append-claude-md', '--json'])).values
  expect(bare).not.toHaveProperty('mcpServers')
  expect(bare).not.toHaveProperty('appendClaudeMd')
  const secret = JSON.stringify({ mcpServers: { docs: { ...docs, env: { KEY: 'hunter2-hunter2' } } } })
  for (const text of [secret, `${secret}}`, '[]']) {
    await writeFile(join(folder, 'servers.json'), text)
    const { exitCode, stdout, stderr } = await run(['agent', 'edit', 'a', '--mcp-config', 'servers.json'])
    expect([exitCode, `${stdout}${stderr}`]).toEqual([
      expect.any(Number),
      expect.stringContaining('servers.json'),
    ])
    expect(exitCode).not.toBe(0)
    expect(`${stdout}${stderr}`).not.toContain('hunter2')
  }
})
