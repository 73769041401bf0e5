/** A run that its process has left is resumed by whichever process next opens the store to work, if that can be. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RefusedError } from '../../../src/events/errors/call.ts'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../../src/orchestrator-options.ts'
import type { Pattern } from '../../../src/patterns/pattern.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { ScriptedRunnerOptions } from '../../../src/testing/scripted-runner.ts'
import type { WorkflowReference } from '../../../src/workflows/pattern.ts'
import { until, world } from '../../actors/world.ts'
import { onFullDisk } from '../../full-disk.ts'
import { repetitions } from '../../repetitions.ts'

const endless: ScriptedRunnerOptions = { reply: () => ({ text: '', delayMs: 9e12 }) }
const quick: ScriptedRunnerOptions = { reply: ({ agent }) => `by ${agent}` }
const data = { kind: 'agents', pattern: 'sequential', agents: ['a', 'b'], options: {} } as const

/** A world in which a process was killed while it executed these runs. */
async function left(
  runs: Readonly<Record<string, Pattern | string | WorkflowReference>>,
  options: OrchestratorOptions = {},
) {
  const here = await world()
  const { orchestrator, runner } = await here.open(endless, options)
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  const begun = Object.entries(runs).map(([id, workflow]) => orchestrator.run(workflow, `do ${id}`, { id }))
  for (const run of begun) run.catch(() => {})
  await Promise.all(begun.map((run) => run.begun))
  await until(() => begun.length === 0 || runner.calls.length > 0)
  await orchestrator.close()
  return here
}

const listed = async ({ runs }: Orchestrator) =>
  Object.fromEntries(
    (await runs.list()).map(({ runId, status, reason, driver }) => [runId, { status, reason, driver }]),
  )

/** Resolves when no run is being executed any more, or that need not be waited for. */
async function over(orchestrator: Orchestrator, isEnough = () => false): Promise<void> {
  while (!isEnough()) {
    if (Object.values(await listed(orchestrator)).every(({ driver }) => driver === null)) return
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const here = { status: 'running', reason: null, driver: process.pid }
const waiting = (reason: string) => ({ status: 'waiting', reason, driver: null })

test('an owner that opens resumes the runs that can be built, and says why the others wait', async () => {
  const world = await left(
    { data, named: 'report', code: sequential(['a', 'b']), foreign: 'other' },
    { workflows: { report: sequential(['b', 'a']), other: sequential(['a']) } },
  )
  const reader = await world.open(quick, { resume: 'on-demand' })
  expect(await listed(reader.orchestrator)).toEqual({
    data: waiting('needs an owner'),
    ...{ named: waiting('needs its program'), code: waiting('needs its program') },
    foreign: waiting('needs its program'),
  })
  await reader.orchestrator.close()
  expect(reader.runner.calls).toEqual([])

  const { orchestrator } = await world.open(quick, { workflows: { report: sequential(['b', 'a']) } })
  expect(await listed(orchestrator)).toEqual({
    ...{ data: here, named: here },
    ...{ code: waiting('needs its program'), foreign: waiting('needs its program') },
  })
  await over(orchestrator)
  expect(await listed(orchestrator)).toMatchObject({
    data: { status: 'succeeded', reason: null, driver: null },
    named: { status: 'succeeded' },
  })
  const [info] = (await orchestrator.runs.list()).filter(({ runId }) => runId === 'data')
  expect(info).toMatchObject({
    ...{ topic: 'do data', startedAt: expect.any(String), endedAt: expect.any(String) },
  })
  expect(await orchestrator.runs.resume('code', sequential(['a', 'b']))).toMatchObject({ success: true })
})

test('a run that the user paused, or that failed, is not resumed by itself', async () => {
  const world = await left({})
  const first = await world.open({
    reply: ({ prompt }) => (prompt.includes('fail') ? new RefusedError() : { text: '', delayMs: 9e12 }),
  })
  const paused = first.orchestrator.run(data, 'wait', { id: 'paused' })
  await until(() => first.runner.calls.length === 1)
  await Promise.all([paused.pause(), expect(paused).rejects.toThrow('paused')])
  expect(await first.orchestrator.run(data, 'fail', { id: 'failed' })).toMatchObject({ success: false })
  await first.orchestrator.close()
  const { orchestrator, runner } = await world.open(quick)
  await orchestrator.drain({ withinMs: 9e12 })
  expect(await listed(orchestrator)).toEqual({
    paused: { status: 'paused', reason: 'paused', driver: null },
    failed: { status: 'failed', reason: null, driver: null },
  })
  expect(runner.calls).toEqual([])
})

test('a run that was held when its process ended goes on in its owner once it is released', async () => {
  const world = await left({})
  const first = await world.open({ reply: () => ({ text: 'done', costUsd: 1 }) })
  const run = first.orchestrator.run(data, 'go', { id: 'r1', budget: { usd: 1 } })
  run.catch(() => {})
  await run.rested()
  expect(await listed(first.orchestrator)).toEqual({
    r1: { status: 'held', reason: 'held', driver: process.pid },
  })
  // What only waits for the user holds up no shutdown.
  expect(await first.orchestrator.drain({ withinMs: 9e12 })).toBe(true)
  await first.orchestrator.close()

  const { orchestrator } = await world.open({ reply: () => ({ text: 'done', costUsd: 1 }) })
  await until(() => true)
  expect(await listed(orchestrator)).toEqual({ r1: { status: 'held', reason: 'held', driver: process.pid } })
  await orchestrator.budgets.set({ usd: 9 }, { run: 'r1' })
  await over(orchestrator)
  expect(await listed(orchestrator)).toMatchObject({ r1: { status: 'succeeded' } })
})

test('a run that is being resumed is the one that its id asks for, and stands for its input', async () => {
  const world = await left({ data })
  const { orchestrator, runner } = await world.open(endless)
  await until(() => runner.calls.length === 1)
  await expect(orchestrator.run(data, 'something else', { id: 'data' })).rejects.toThrow('with another input')
  expect(() => orchestrator.runs.resume('data')).toThrow('is running')
  expect(orchestrator.run(data, 'do data', { id: 'data' }).id).toBe('data')
})

test('a disk that is full when an owner opens delays its runs, and loses none', async () => {
  const world = await left({ data })
  const { disk, store } = onFullDisk(world.store)
  disk.isFull = true
  const { orchestrator } = await world.open(quick, { store: { ...store, async [Symbol.asyncDispose]() {} } })
  expect(await listed(orchestrator)).toEqual({ data: here })
  await world.clock.advance(60_000)
  expect(await listed(orchestrator)).toEqual({ data: here })
  disk.isFull = false
  let isOver = false
  void over(orchestrator).then(() => {
    isOver = true
  })
  while (!isOver) {
    await new Promise(setImmediate)
    await world.clock.advance(1000)
  }
  expect(await listed(orchestrator)).toMatchObject({ data: { status: 'succeeded' } })
})

describe('a workflow that is not what it was leaves its run waiting:', () => {
  const flows = (prompt: string) => `export default (ask) => () => ask('a', { prompt: '${prompt}' })`
  async function module() {
    const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'flows.mjs')
    await writeFile(file, flows('one'))
    return { file, world: await left({ r1: { kind: 'module', file, export: 'default' } }) }
  }

  test('one that changed until the change is accepted, and then as any other', async () => {
    const { file, world } = await module()
    await writeFile(file, flows('two'))
    const first = await world.open(endless)
    expect(await listed(first.orchestrator)).toEqual({ r1: waiting('its workflow changed') })
    expect(await first.orchestrator.runs.plan('r1')).toMatchObject({ changed: true, rerun: [{ agent: 'a' }] })
    const run = first.orchestrator.runs.resume('r1', undefined, { acceptChanges: true })
    run.catch(() => {})
    await run.begun
    expect(await listed(first.orchestrator)).toEqual({ r1: here })
    await first.orchestrator.close()
    const { orchestrator } = await world.open(quick)
    await over(orchestrator)
    expect(await listed(orchestrator)).toMatchObject({ r1: { status: 'succeeded' } })
  })

  test.each([
    ['one that is gone', '', 'its workflow cannot be built'],
    ['one that is broken', 'export default (', 'its workflow cannot be built'],
  ])('%s, and the other runs are resumed', async (_, content, reason) => {
    const { file, world } = await module()
    if (content === '') await rm(file)
    else await writeFile(file, content)
    const warnings: unknown[] = []
    const logger = {
      warn: (details: unknown) => void warnings.push(details),
      info() {},
      error() {},
      debug() {},
    }
    const { orchestrator } = await world.open(quick, { logger: logger as never })
    expect(await listed(orchestrator)).toEqual({ r1: waiting(reason) })
    expect(warnings).toMatchObject([{ runId: 'r1', reason }])
    await expect(orchestrator.runs.resume('r1')).rejects.toMatchObject({ _tag: 'WorkflowNotBuiltError' })
  })

  test('one that takes for ever to load holds up neither its owner nor the other runs', async () => {
    const { file, world } = await module()
    await writeFile(file, 'await new Promise(() => {})')
    const opening = world.open(quick)
    let isOpen = false
    void opening.then(() => {
      isOpen = true
    })
    while (!isOpen) {
      await new Promise(setImmediate)
      await world.clock.advance(100)
    }
    const { orchestrator } = await opening
    expect(await listed(orchestrator)).toEqual({ r1: waiting('its workflow cannot be built') })
  })

  test('one whose agent was removed', async () => {
    const world = await left({ data })
    const first = await world.open(quick, { resume: 'on-demand' })
    await first.orchestrator.removeAgent('b')
    await first.orchestrator.close()
    const { orchestrator } = await world.open(quick)
    await over(orchestrator)
    expect(await listed(orchestrator)).toEqual({ data: waiting('needs its agents') })
  })
})

test('however often its owner ends and another opens, every run of data ends, and no answer is paid twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 4 }),
      async (lives, count) => {
        const world = await left({})
        const first = await world.open(endless)
        const runs = Array.from({ length: count }, (_, index) =>
          first.orchestrator.run(data, `do ${index}`, { id: `r${index}` }),
        )
        for (const run of runs) run.catch(() => {})
        await Promise.all(runs.map(({ begun }) => begun))
        await first.orchestrator.close()
        let [started, cutOff] = [first.runner.calls.length, first.runner.calls.length]
        // How many answers each owner lives to see.
        for (const most of [...lives, Number.POSITIVE_INFINITY]) {
          let answered = 0
          const { orchestrator, runner } = await world.open({
            reply: ({ agent }) => (++answered <= most ? `by ${agent}` : { text: '', delayMs: 9e12 }),
          })
          const states = Object.values(await listed(orchestrator))
          expect(states.filter(({ status, driver }) => status === 'running' && driver === null)).toEqual([])
          await over(orchestrator, () => answered > most)
          await orchestrator.close()
          started += runner.calls.length
          cutOff += Math.max(0, runner.calls.length - most)
        }
        const { orchestrator } = await world.open(endless)
        expect(Object.values(await listed(orchestrator)).map(({ status }) => status)).toEqual(
          runs.map(() => 'succeeded'),
        )
        expect(started).toBe(2 * count + cutOff)
        await orchestrator.close()
      },
    ),
    { numRuns: repetitions('DRIVEN_RUNS', { short: 6, long: 100 }) },
  )
})
