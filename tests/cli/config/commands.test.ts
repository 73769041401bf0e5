import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { commandLine } from '../command.ts'
import { repositoryIn } from '../repository.ts'

describe('the configuration, on the command line', () => {
  test('is shown with the source of each setting, by precedence', async () => {
    const { run, folder } = await commandLine({
      CLAUDE_AGENTS_MAX_AGENTS: '20',
      CLAUDE_AGENTS_CLAUDE_PATH: '',
    })
    await writeFile(
      join(folder, 'claude-agents.yaml'),
      'orchestrator: { max_agents: 5, base_dir: ./agents }\nlogging: { level: error }\n',
    )
    const { values } = await run(['--json', '--set', 'agent_defaults.model=opus', 'config', 'show'])
    const said = (key: string) => values.find((value) => value.key === key)
    expect(said('orchestrator.max_agents')).toMatchObject({
      value: 20,
      from: 'environment',
      place: 'CLAUDE_AGENTS_MAX_AGENTS',
    })
    expect(said('orchestrator.base_dir')).toMatchObject({ value: './agents', from: 'file' })
    expect(said('agent_defaults.model')).toMatchObject({ value: 'opus', from: 'command line' })
    expect(said('agent_defaults.timeout')).toMatchObject({ value: 1800, from: 'default' })
    const { stdout } = await run(['--log-level', 'INFO', 'config', 'show'])
    expect(stdout).toMatch(/^logging\.level +info +command line$/m)
  })

  test('is checked with its repositories: one that is missing is named with its place', async () => {
    const { run, folder } = await commandLine()
    const git = await repositoryIn(join(folder, 'shop'))
    const agents = ['{ repo: shop }', '{ repo: gone }', '{ repo: shop, base: nowhere }', '{ repo: . }']
    const file = (count: number) =>
      agents
        .slice(0, count)
        .map((workspace, at) => `  - { id: a${at}, system_prompt: x, workspace: ${workspace} }\n`)
    const write = (count: number) =>
      writeFile(join(folder, 'claude-agents.yaml'), `agents:\n${file(count).join('')}`)
    await write(1)
    expect(await run(['config', 'validate'])).toMatchObject({ exitCode: 0 })
    await write(4)
    const { exitCode, values } = await run(['--json', 'config', 'validate'])
    expect([exitCode, values]).toMatchObject([
      1,
      [
        {
          ok: false,
          problems: [
            {
              place: expect.stringMatching(/yaml:3:44$/),
              problem: expect.stringContaining('no such directory'),
            },
            { place: expect.stringMatching(/yaml:4:44$/), problem: expect.stringContaining('nowhere') },
            {
              place: expect.stringMatching(/yaml:5:44$/),
              problem: expect.stringContaining('git repository'),
            },
          ],
        },
      ],
    ])
    expect(git('worktree', 'list').split('\n')).toHaveLength(1)
  })

  test('is found and checked, and a mistake is an error with its location', async () => {
    const { run, folder } = await commandLine()
    expect(await run(['config', 'path'])).toMatchObject({ exitCode: 1, stdout: '' })
    const file = join(folder, 'claude-agents.yaml')
    await writeFile(file, 'agents: [{ id: a, system_prompt: x }]\n')
    expect(await run(['config', 'path'])).toMatchObject({ exitCode: 0, stdout: file })
    expect((await run(['config', 'validate'])).stdout).toBe(`${file} is valid: 1 agent, 0 workflows.`)
    await writeFile(file, 'orchestrator:\n  max_agent: 1\n')
    const wrong = await run(['config', 'validate'])
    expect(wrong.exitCode).toBe(1)
    expect(wrong.stderr).toBe(
      `error: ${file}:2:3: there is no key "max_agent" in orchestrator.\n  Did you mean "max_agents"?`,
    )
    expect((await run(['--json', 'config', 'validate'])).values).toMatchObject([
      { ok: false, problems: [{ place: `${file}:2:3` }] },
    ])
  })

  test('declares agents, which exist from the first command on that changes something', async () => {
    const { run, folder } = await commandLine()
    const declare = (prompt: string) =>
      writeFile(
        join(folder, 'claude-agents.yaml'),
        `agent_defaults: { max_turns: 2 }\nagents: [{ id: a, system_prompt: ${prompt} }]\n`,
      )
    const list = async () => (await run(['--json', 'agent', 'list'])).values
    await declare('one')
    expect(await list()).toMatchObject([{ id: 'a', status: 'declared' }])
    await run(['agent', 'create', 'b', 'x'])
    expect(await list()).toMatchObject([
      { id: 'a', status: 'idle' },
      { id: 'b', status: 'idle' },
    ])
    await declare('two')
    await run(['agent', 'reset', 'a'])
    expect((await run(['--json', 'agent', 'show', 'a'])).values).toMatchObject([{ systemPrompt: 'two' }])
    const { values } = await run(['--json', 'log', '--stream', 'agent/a'])
    expect(values.map(({ type }) => type)).toEqual(['AgentCreated', 'AgentConfigured', 'AgentReset'])
  })
})
