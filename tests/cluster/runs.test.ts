/** Runs that workers execute, as real processes with a real PostgreSQL. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { commandLine } from '../cli/command.ts'
import { hasPostgres } from '../postgres/database.ts'
import { audit, startCluster, type WorkerProcess } from './kit.ts'

const AGENTS = ['a0', 'a1', 'a2']
const STEPS = 20
const workflow = {
  kind: 'agents',
  pattern: 'sequential',
  agents: Array.from({ length: STEPS }, (_, index) => AGENTS[index % AGENTS.length] as string),
  options: {},
} as const

const create = async (team: Orchestrator) => {
  for (const id of AGENTS) await team.createAgent({ id, systemPrompt: 'You help.' })
}

/** The worker that executes a run. */
const driverOf = (team: Orchestrator, run: string) =>
  vi.waitFor(
    async () => {
      const { driver } = await team.runs.show(run)
      expect(driver).toEqual(expect.any(String))
      return String(driver)
    },
    { timeout: 60_000, interval: 200 },
  )

const statusOf = async ({ runs }: Orchestrator, run: string) => {
  const { status, reason } = await runs.show(run)
  return { status, reason }
}

const turnsOf = async ({ store }: Orchestrator, run: string) => {
  const turns: string[] = []
  for await (const { type } of store.read(`run/${run}`)) if (type.startsWith('Run')) turns.push(type)
  return turns
}

describe.skipIf(!hasPostgres)('A run in several workers', { timeout: 400_000 }, () => {
  test('ends by itself although its client is gone, its worker is killed in its middle, and the next one is drained', async () => {
    const cluster = await startCluster()
    const workers = new Map<string, WorkerProcess>()
    for (const name of ['one', 'two', 'three']) workers.set(name, await cluster.worker(name, '0.3'))
    const first = await cluster.client()
    await create(first)
    const run = first.run(workflow, 'x', { id: 'r' })
    run.catch(() => {})
    await run.begun
    await first.close()
    const team = await cluster.client()
    await cluster.started(5)
    const killed = await driverOf(team, 'r')
    workers.get(killed)?.child.kill('SIGKILL')
    await vi.waitFor(async () => expect(await driverOf(team, 'r')).not.toBe(killed), {
      timeout: 60_000,
      interval: 500,
    })
    await cluster.started(12)
    const drained = await driverOf(team, 'r')
    workers.get(drained)?.child.kill('SIGTERM')
    const { success, metadata } = await team.runs.result('r')
    expect([success, metadata.finalOutput]).toEqual([true, 'fine'])
    const { taken } = await team.runs.show('r')
    expect([taken.length, taken.every(({ state }) => state === 'succeeded')]).toEqual([STEPS, true])
    await audit(team, cluster, STEPS)
  })

  test('waits, and says why, where its workflow has changed; it is resumed once the change is accepted', async () => {
    const cluster = await startCluster()
    const { run, start, folder } = await commandLine({ CLAUDE_AGENTS_DATABASE: cluster.url })
    const file = join(folder, 'claude-agents.yaml')
    const define = (agents: string) =>
      writeFile(file, `workflows:\n  - name: report\n    pattern: sequential\n    agents: [${agents}]\n`)
    await define('a0, a1, a2')
    const one = await cluster.worker('one', '2')
    const team = await cluster.client()
    await create(team)
    const left = await run([
      '--json',
      'workflow',
      'run',
      '--workflow',
      'report',
      'x',
      '--id',
      'r',
      '--detach',
    ])
    expect(left).toMatchObject({ exitCode: 0, values: [{ runId: 'r' }] })
    await cluster.started(1)
    expect(await run(['--json', 'workflow', 'list'])).toMatchObject({
      values: [{ runId: 'r', driver: 'one' }],
    })
    await define('a0, a2')
    one.child.kill('SIGKILL')
    await cluster.worker('two', '0')
    await vi.waitFor(
      async () =>
        expect(await statusOf(team, 'r')).toEqual({ status: 'waiting', reason: 'its workflow changed' }),
      { timeout: 60_000, interval: 500 },
    )
    await expect(team.runs.resume('r')).rejects.toMatchObject({ _tag: 'WorkflowChangedError' })
    expect((await statusOf(team, 'r')).reason).toBe('its workflow changed')
    // A client that is killed leaves it.
    const resuming = start('workflow', 'resume', 'r', '--accept-changes')
    await vi.waitFor(async () => expect(await turnsOf(team, 'r')).toContain('RunResumed'), {
      timeout: 120_000,
    })
    resuming.kill('SIGKILL')
    expect((await team.runs.result('r')).success).toBe(true)
    await rm(file)
  })
})
