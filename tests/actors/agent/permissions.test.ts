/** What an agent may do without asking: set in code or on the command line, and recorded as a fact. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../../src/config/configuration.ts'
import { agentFacts } from '../../../src/events/agent-facts.ts'
import type { Recorded } from '../../../src/events/envelope.ts'
import { ECHO, world } from '../world.ts'

test('an agent stays in its workspace and loads nothing from it by default', async () => {
  const { orchestrator, runner } = await (await world()).open()
  await orchestrator.createAgent(ECHO)
  await orchestrator.sendTask('echo', 'x')
  expect(runner.calls[0]?.settings).toEqual({ systemPrompt: ECHO.systemPrompt, permissions: 'workspace' })
})

test('a bypass is a fact and reaches the runner, also after a restart', async () => {
  const { open, store } = await world()
  const { orchestrator } = await open()
  await orchestrator.createAgent({ ...ECHO, permissions: 'bypass' })
  await orchestrator.close()
  for await (const { data } of store.read('agent/echo')) {
    expect(data).toMatchObject({ config: { permissions: 'bypass' } })
  }
  const again = await open()
  await again.orchestrator.sendTask('echo', 'x')
  expect(again.runner.calls[0]?.settings).toMatchObject({ permissions: 'bypass' })
})

test.each([{ permissions: 'all' }, { permissions: 'bypassPermissions' }, { loadProjectSettings: true }])(
  'an agent with %j is refused',
  async (options) => {
    const { orchestrator } = await (await world()).open()
    await expect(orchestrator.createAgent({ ...ECHO, ...(options as object) })).rejects.toMatchObject({
      _tag: 'InvalidInputError',
    })
  },
)

test('an agent of an older log stays in its workspace', () => {
  const config = { systemPrompt: 'x', allowedTools: ['Bash'], maxTurns: null, model: null, timeoutMs: 1 }
  const recorded: Recorded = {
    ...{ position: 1, stream: 'agent/old', version: 1, id: 'x', at: '2026-01-01T00:00:00.000Z' },
    ...{ causationId: null, correlationId: null, epoch: 1 },
    type: 'AgentCreated',
    v: 1,
    data: { config: { ...config, retry: { attempts: 0, minDelayMs: 0, maxDelayMs: 0 } } },
  }
  expect(agentFacts.read(recorded).data).toMatchObject({
    config: { ...config, permissions: 'workspace', loadProjectSettings: false },
  })
})

test.each(['permissions: bypass', 'agents: { permissions: bypass }', 'claude: { permissions: bypass }'])(
  'a configuration file cannot grant it: %j is refused',
  async (text) => {
    const directory = await mkdtemp(join(tmpdir(), 'claude-agents-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    await writeFile(join(directory, 'claude-agents.yaml'), text)
    await expect(loadConfig({ directory })).rejects.toMatchObject({ _tag: 'ConfigError' })
  },
)
