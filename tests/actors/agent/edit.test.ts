/** `agent.edit`: what is given changes, from the next call on, and the rest stays. */
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AgentOptions, agentConfig } from '../../../src/events/options/agent.ts'
import { type AgentChanges, editedConfig, optionsOf } from '../../../src/events/options/agent-changes.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { ECHO, until, world } from '../world.ts'

/** Some options, each given or not. */
const some = fc.record(
  {
    systemPrompt: fc.constantFrom('You edit.', 'You write.'),
    allowedTools: fc.constantFrom(['Read'], ['Bash(git *)', 'mcp__one'], []),
    approveTools: fc.constantFrom(['Bash'], ['Write(src/**)']),
    questions: fc.boolean(),
    maxTurns: fc.integer({ min: 1, max: 9 }),
    model: fc.constantFrom('opus', 'haiku'),
    timeoutMs: fc.integer({ min: 1, max: 9 }),
    retry: fc.record(
      { attempts: fc.integer({ min: 0, max: 9 }), minDelayMs: fc.integer({ min: 0, max: 9 }) },
      { requiredKeys: [] },
    ),
    permissions: fc.constantFrom('workspace' as const, 'bypass' as const),
    mcpServers: fc.constantFrom({}, { docs: { command: '/docs' } }, { web: { url: 'https://e.com' } }),
    disallowedTools: fc.constantFrom(['WebFetch'], []),
    effort: fc.constantFrom('low' as const, 'max' as const),
    fallbackModel: fc.constantFrom('haiku', 'sonnet,haiku'),
    addDirs: fc.constantFrom(['/beside'], []),
    requires: fc.constantFrom(['gpu'], ['eu', 'gpu'], []),
    appendClaudeMd: fc.constantFrom('Be brief.', 'Be kind.'),
    env: fc.constantFrom(['GREETING'], []),
    plugins: fc.constantFrom(['/house'], []),
  },
  { requiredKeys: [] },
)

test('an edited agent is as if it had been created with what was given, and with the rest as it was', () => {
  fc.assert(
    fc.property(some, some, (first, second) => {
      const created: AgentOptions = { ...ECHO, ...first }
      const both = { ...created, ...second, retry: { ...first.retry, ...second.retry } }
      const config = agentConfig(created)
      expect(editedConfig('echo', config, second)).toEqual(agentConfig(both))
      expect(editedConfig('echo', config, optionsOf('echo', config))).toEqual(config)
    }),
  )
})

test('an option that is edited to null has its default', () => {
  fc.assert(
    fc.property(some, fc.subarray(Object.keys(ECHO_OPTIONS)), (first, unset) => {
      const created: AgentOptions = { ...ECHO, ...first }
      const kept = Object.entries(created).filter(([key]) => !unset.includes(key))
      const changes: AgentChanges = Object.fromEntries(unset.map((key) => [key, null]))
      const without = Object.fromEntries(kept) as unknown as AgentOptions
      expect(editedConfig('echo', agentConfig(created), changes)).toEqual(agentConfig(without))
    }),
  )
})

const ECHO_OPTIONS = {
  ...{ allowedTools: [], approveTools: [], questions: true, maxTurns: 1, model: 'opus', timeoutMs: 1 },
  ...{ retry: {}, permissions: 'bypass', mcpServers: {}, disallowedTools: [], effort: 'low' },
  ...{ fallbackModel: '', addDirs: [], requires: [], appendClaudeMd: '', env: [], plugins: [] },
}

describe('an agent that is edited', () => {
  test('while a call runs uses it from the next call on, and the one that runs keeps what it began with', async () => {
    const here = await world()
    let finish = () => {}
    const waiting = new Promise<void>((resolve) => {
      finish = resolve
    })
    const { orchestrator, runner } = await here.open({
      reply: async () => {
        await waiting
        return 'done'
      },
    })
    const agent = await orchestrator.createAgent({ ...ECHO, model: 'haiku', maxTurns: 3 })
    const first = agent.ask('one')
    first.catch(() => {})
    await until(() => runner.calls.length === 1)
    await agent.edit({ model: 'opus' }, { by: 'ann' })
    await agent.edit({ model: 'opus' })
    finish()
    await first
    await agent.ask('two')
    expect(runner.calls.map(({ settings: { model, maxTurns } }) => [model, maxTurns])).toEqual([
      ['haiku', 3],
      ['opus', 3],
    ])
    const types = await here.types('echo')
    expect(types.filter((type) => type === 'AgentConfigured')).toHaveLength(1)
  })

  test.each<[string, Record<string, unknown>]>([
    ['its id cannot change', { id: 'other' }],
    ['it works on no repository', { workspace: { project: true } }],
    ['there is no option "colour"', { colour: 'red' }],
    ['is not a tool of Claude Code', { allowedTools: ['Wriet'] }],
    ['null is not a text', { systemPrompt: null }],
    ['is not a whole number', { budget: { tokens: -1 } }],
  ])('is refused with a reason, and nothing is written: %s', async (problem, changes) => {
    const here = await world()
    const { orchestrator } = await here.open()
    const agent = await orchestrator.createAgent(ECHO)
    await expect(agent.edit(changes as AgentChanges)).rejects.toThrow(problem)
    expect(await here.types('echo')).toEqual(['AgentCreated'])
    expect((await agent.budget()).limit).toEqual({ usd: null, tokens: null })
  })

  test('keeps the place where its work began, and changes how it is committed', () => {
    const began = {
      repo: '/repo',
      base: 'HEAD',
      commit: 'c0ffee',
      branch: 'claude-agents/echo',
      settings: 'x',
    }
    const config = { ...agentConfig(ECHO), workspace: { ...began, commits: 'agent' as const } }
    const edited = (workspace: NonNullable<AgentChanges['workspace']>) =>
      editedConfig('echo', config, { workspace })
    const { workspace } = edited({ project: true, commit: 'turn', message: '{agent}', repo: '/repo' })
    expect(workspace).toEqual({ ...began, project: true, message: '{agent}' })
    for (const [key, value] of Object.entries({ repo: '/other', base: 'main', branch: 'mine' }))
      expect(() => edited({ [key]: value })).toThrow(`the ${key} of its workspace cannot change`)
    expect(() => edited({ message: '{nobody}' })).toThrow('names something that no commit has')
  })

  test('gets and loses a budget', async () => {
    const here = await world()
    const { orchestrator } = await here.open()
    const agent = await orchestrator.createAgent(ECHO)
    await agent.edit({ budget: { usd: 2 } })
    expect((await agent.budget()).limit).toMatchObject({ usd: 2 })
    await agent.edit({ budget: null })
    expect((await agent.budget()).limit).toEqual({ usd: null, tokens: null })
  })
})

test('a directory that is added neither contains the base directory nor lies in it, also by a link', async () => {
  const folder = await temporaryDirectory()
  const baseDir = join(folder, 'project/base')
  for (const path of ['project/base/agents', 'beside', 'project/base-notes'])
    await mkdir(join(folder, path), { recursive: true })
  await symlink(baseDir, join(folder, 'beside/link'))
  const { orchestrator } = await (await world()).open({}, { baseDir })
  const agent = await orchestrator.createAgent(ECHO)
  for (const path of ['.', 'project', 'project/base', 'project/base/agents', 'beside/link']) {
    const addDirs = [join(folder, 'beside'), join(folder, path)]
    const refused = { _tag: 'InvalidInputError', message: expect.stringContaining('the base directory') }
    await expect(orchestrator.createAgent({ ...ECHO, id: 'other', addDirs })).rejects.toMatchObject(refused)
    await expect(agent.edit({ addDirs })).rejects.toMatchObject(refused)
  }
  await agent.edit({ addDirs: ['beside', 'project/base-notes', 'missing'].map((path) => join(folder, path)) })
})

test('a plugin does not lie where agents change files, also by a link', async () => {
  const folder = await temporaryDirectory()
  const [baseDir, shared, plugin] = ['base', 'shared', 'plugin'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  for (const path of [baseDir, join(shared, 'inner'), plugin]) await mkdir(path, { recursive: true })
  await symlink(join(shared, 'inner'), join(plugin, 'link'))
  const { orchestrator } = await (await world()).open({}, { baseDir })
  const agent = await orchestrator.createAgent({ ...ECHO, addDirs: [shared] })
  const refused = { _tag: 'InvalidInputError', message: expect.stringContaining('where agents change files') }
  for (const path of [shared, join(shared, 'inner'), join(plugin, 'link'), join(baseDir, 'agents')])
    await expect(agent.edit({ plugins: [plugin, path] })).rejects.toMatchObject(refused)
  await agent.edit({ plugins: [plugin] })
  await expect(agent.edit({ addDirs: [folder] })).rejects.toMatchObject({ _tag: 'InvalidInputError' })
})
