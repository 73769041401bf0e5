import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { commandLine } from '../command.ts'

test('serve keeps the store open for other commands, supervises as configured, and shuts down cleanly', async () => {
  await using model = await simulatedModel()
  const { folder, run, start } = await commandLine(model.environment)
  await writeFile(
    join(folder, 'claude-agents.yaml'),
    `agents: [{ id: a, system_prompt: You help. }, { id: b, system_prompt: You help. }]
supervision:
  - id: team
    strategy: one-for-all
    max_restarts: 3
    children: [{ agent: a }, { supervisor: { id: inner, children: [{ agent: b, shutdown: brutal }] } }]
`,
  )
  const service = start('--json', 'serve', '--finish-within', '5')
  const lines: string[] = []
  service.stdout.on('data', (data) => lines.push(String(data)))
  await vi.waitFor(() => expect(lines.join('')).toContain('"pid"'), { timeout: 30_000, interval: 50 })
  const asked = await run(['--json', 'agent', 'ask', 'a', 'hello'])
  expect(asked.values).toMatchObject([{ agent: 'a', attempts: 1 }])
  // It keeps running, even with nothing to do.
  expect(service.exitCode).toBeNull()
  service.kill('SIGTERM')
  expect((await service).exitCode).toBe(0)
  const { values } = await run(['--json', 'log'])
  const supervisors = values.filter(({ stream }) => String(stream).startsWith('supervisor/'))
  expect(new Set(supervisors.map(({ stream }) => stream))).toEqual(
    new Set(['supervisor/team', 'supervisor/inner']),
  )
})

test('an invalid supervision tree is refused before it is started', async () => {
  const { folder, run } = await commandLine()
  const file = join(folder, 'claude-agents.yaml')
  await writeFile(file, 'supervision:\n  - { id: team, strategy: one-for-oll, children: [] }\n')
  const misspelt = await run(['serve'])
  expect(misspelt.exitCode).toBe(1)
  expect(misspelt.stderr).toContain(`${file}:2:27: supervision[0].strategy: must be one-for-one or`)
  await writeFile(file, 'supervision:\n  - { id: team, children: [{ restart: permanent }] }\n')
  const empty = await run(['serve'])
  expect(empty.exitCode).toBeGreaterThan(0)
  expect(empty.stderr).toContain('supervisor "team", child 1')
})
