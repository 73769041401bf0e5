import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { concatMap, NEVER } from 'rxjs'
import { expect, test, vi } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { patternOf } from '../../../src/patterns/pattern.ts'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { quickCommandLine } from '../command.ts'

const UNHURRIED = { timeout: 30_000, interval: 50 }

test('serve keeps the store open for other commands, supervises as configured, and shuts down cleanly', async () => {
  await using model = await simulatedModel()
  const { folder, run, start } = await quickCommandLine(model.environment)
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

test('serve ends with an error once its base directory is removed, and so does who waits for a call', async () => {
  const { folder, run, start } = await quickCommandLine({ CLAUDE_AGENTS_CLAUDE_PATH: './claude' })
  const called = join(folder, 'called')
  await writeFile(
    join(folder, 'claude'),
    `#!/bin/sh
if [ "$1" = --version ]; then echo "2.1.197 (Claude Code)"; else touch ${called}; exec sleep 600; fi
`,
    { mode: 0o755 },
  )
  expect((await run(['agent', 'create', 'a', 'You help.'])).exitCode).toBe(0)
  const service = start('serve')
  await vi.waitFor(async () => expect((await run(['serve', 'status'])).exitCode).toBe(0), UNHURRIED)
  const client = start('agent', 'ask', 'a', 'hello')
  await vi.waitFor(() => expect(existsSync(called)).toBe(true), UNHURRIED)
  // At once, and not file by file.
  await rename(join(folder, '.claude-agents'), join(folder, 'gone'))
  for (const { exitCode, stderr } of await Promise.all([service, client])) {
    expect(stderr).toContain('its directory was removed, moved or replaced while it was open')
    expect(exitCode).toBe(1)
  }
})

test('an invalid supervision tree is refused before it is started', async () => {
  const { folder, run } = await quickCommandLine()
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

/** A store with a run that its process has left in the middle. */
async function abandonedRun(baseDir: string) {
  const pattern = patternOf(['a'], (ask, task) => ask('a', task).pipe(concatMap(() => NEVER)))
  await using orchestrator = await Orchestrator.open({ baseDir, runner: scriptedRunner() })
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'You help.' })
  const run = orchestrator.run(pattern, 'go', { id: 'r1', name: 'report' })
  run.then(
    () => {},
    () => {},
  )
  for await (const { state } of run) if (state === 'succeeded') break
}

test('a run that no process works on waits: the list, recover and serve say so', async () => {
  const { folder, run, start } = await quickCommandLine()
  await abandonedRun(join(folder, '.claude-agents'))
  const why =
    'it needs its program. Start that, or name its code: claude-agents workflow resume r1 --module FILE'
  const says = `Run r1 (report) waits: ${why}`
  expect((await run(['workflow', 'list', '--json'])).values).toMatchObject([
    { runId: 'r1', status: 'waiting', reason: 'needs its program', driver: null },
  ])
  expect((await run(['workflow', 'show', 'r1'])).stderr).toContain(`It does not continue: ${why}`)
  const recovered = await run(['recover'])
  expect(recovered.stderr).toContain(says)
  expect(recovered.stderr).not.toContain('Nothing was left behind')
  const service = start('serve')
  const lines: string[] = []
  service.stderr.on('data', (data) => lines.push(String(data)))
  await vi.waitFor(() => expect(lines.join('')).toContain(says), {
    timeout: 30_000,
    interval: 50,
  })
  service.kill('SIGTERM')
  await service
})
