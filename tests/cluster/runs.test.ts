/** Runs that workers execute, as real processes with a real PostgreSQL. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { verifyDatabase } from '../../src/store/postgres/verification.ts'
import { answer } from '../../src/testing/model/answer.ts'
import type { ModelRequest } from '../../src/testing/model/messages-api.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'
import { commandLine } from '../cli/command.ts'
import { hasPostgres } from '../postgres/database.ts'
import { repetitions } from '../repetitions.ts'
import { audit, startCluster, type WorkerProcess } from './kit.ts'

const AGENTS = ['a0', 'a1', 'a2']
const STEPS = 20
/** With the real `claude`. */
const REAL_STEPS = repetitions('REAL_STEPS', { short: 8, long: 20 })
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

  test('ends by itself with its files and conversations, although a worker is killed in its middle', async () => {
    const isResult = (text = '') => text.includes('[result')
    /** Which step is asked: the prompt has the answer of the one before. */
    const stepOf = ({ conversation }: ModelRequest) => {
      const [, prompt = ''] = conversation.findLast(([who, text]) => who === 'user' && !isResult(text)) ?? []
      return Number(/step (\d+)\s*$/.exec(prompt)?.[1] ?? 0) + 1
    }
    await using model = await simulatedModel({
      reply: (request) => {
        const step = stepOf(request)
        return isResult(request.conversation.at(-1)?.[1])
          ? answer.text(`step ${step}`)
          : answer.toolUse('Write', { file_path: `${step}.txt`, content: `of step ${step}` })
      },
    })
    const cluster = await startCluster(undefined, { path: REAL_CLAUDE, environment: model.environment })
    const workers = new Map<string, WorkerProcess>()
    for (const name of ['one', 'two', 'three']) workers.set(name, await cluster.worker(name))
    const team = await cluster.client()
    await create(team)
    const run = team.run({ ...workflow, agents: workflow.agents.slice(0, REAL_STEPS) }, 'Go on.', { id: 'r' })
    // Of each step, one that writes and one that answers.
    await model.waitForRequest(REAL_STEPS)
    workers.get(await driverOf(team, 'r'))?.child.kill('SIGKILL')
    const { success, metadata } = await run
    expect([success, metadata.finalOutput]).toEqual([true, `step ${REAL_STEPS}`])
    const steps = Array.from({ length: REAL_STEPS }, (_, index) => index + 1)
    for (const [index, id] of AGENTS.entries()) {
      const own = steps.filter((step) => (step - 1) % AGENTS.length === index)
      const files = await (await team.agent(id)).files.list()
      expect(files.map(({ path }) => path).sort()).toEqual(own.map((step) => `${step}.txt`).sort())
      const last = model.requests.findLast((request) => stepOf(request) === own.at(-1))
      const said = (last?.conversation ?? []).flatMap(([who, text]) =>
        who === 'assistant' ? [text.trim()] : [],
      )
      expect(said.filter((text) => text.startsWith('step'))).toEqual(
        own.slice(0, -1).map((step) => `step ${step}`),
      )
    }
    const unknown: unknown[] = []
    for await (const { type } of team.history.log()) if (type === 'CallOutcomeUnknown') unknown.push(type)
    const calls = new Set(model.requests.filter(({ conversation }) => !isResult(conversation.at(-1)?.[1])))
    expect(calls.size - REAL_STEPS).toBeLessThanOrEqual(unknown.length)
    expect(await verifyDatabase(cluster.url)).toMatchObject({ ok: true, findings: [] })
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
