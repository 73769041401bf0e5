/** What lists say of a run that has not ended: only one that a living process executes is running. */
import { expect, test } from 'vitest'
import { statistics } from '../../../src/history/statistics.ts'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import { approved } from '../../../src/patterns/approved.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import type { Pattern } from '../../../src/patterns/pattern.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { ScriptedRunnerOptions } from '../../../src/testing/scripted-runner.ts'
import { until, world } from '../../actors/world.ts'
import { served } from '../../owner/kit.ts'

const ignored = () => {}

/** Begins a run. Resolves when it has as many open steps; the run itself would be awaited to its end. */
async function begun(orchestrator: Orchestrator, pattern: Pattern, open: number, held = 0) {
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  const run = orchestrator.run(pattern, 'go', { id: 'r1' })
  run.then(ignored, ignored)
  const seen: string[] = []
  run.subscribe(({ state }) => void seen.push(state))
  const times = (state: string) => seen.filter((one) => one === state).length
  await until(() => times('scheduled') >= open && times('held') >= held)
}

const condition = async ({ runs }: Orchestrator) => {
  const listed = (await runs.list())[0]?.status
  expect((await runs.show('r1')).status).toBe(listed)
  return listed
}

const endless: ScriptedRunnerOptions = { reply: () => ({ text: '', delayMs: 9e12 }) }

test('a run is running only while a living process executes it, and waits otherwise', async () => {
  const here = await world()
  const first = await here.open(endless)
  await begun(first.orchestrator, sequential(['a', 'b']), 1)
  expect(await condition(first.orchestrator)).toBe('running')
  await first.orchestrator.close()

  let isSeen = false
  const { orchestrator } = await here.open({
    async reply() {
      await until(() => isSeen)
      return 'done'
    },
  })
  expect(await condition(orchestrator)).toBe('waiting')
  const run = orchestrator.runs.resume('r1', sequential(['a', 'b']))
  expect(await condition(orchestrator)).toBe('running')
  isSeen = true
  await run
  expect(await condition(orchestrator)).toBe('succeeded')
})

test('another process that reads the store hears from its owner what runs', async () => {
  const { own, remote } = await served(endless)
  await begun(own, sequential(['a', 'b']), 1)
  expect(await condition(remote)).toBe('running')
  const here = { ...(await own.runs.show('r1')), durationMs: expect.any(Number) }
  expect(await remote.runs.show('r1')).toEqual(here)
})

test('a run whose open steps are all held says so, with a process and without one', async () => {
  const here = await world()
  const pattern = sequential([approved('a'), 'b'])
  const first = await here.open()
  await begun(first.orchestrator, pattern, 1, 1)
  expect(await condition(first.orchestrator)).toBe('held')
  await first.orchestrator.close()

  const { orchestrator } = await here.open()
  expect(await condition(orchestrator)).toBe('held')
  const [task] = await orchestrator.held.list()
  await orchestrator.held.approve(task?.taskId ?? '')
  await (await orchestrator.agent('a')).settled()
  expect(await condition(orchestrator)).toBe('waiting')
  expect(await orchestrator.runs.resume('r1', pattern)).toMatchObject({ success: true })
})

test('a run with a step that works beside a held one is running', async () => {
  const { orchestrator } = await (await world()).open(endless)
  await begun(orchestrator, parallel([approved('a'), 'b']), 2, 1)
  expect(await condition(orchestrator)).toBe('running')
})

/** A world whose calls take as long as they are told to, and that waits until so many have begun. */
async function timed(delayMs: number) {
  const here = await world()
  let begun = 0
  const reply = () => {
    begun++
    return { text: 'done', delayMs, durationMs: 1 }
  }
  const { orchestrator } = await here.open({ reply })
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a.' })
  return { ...here, orchestrator, calls: (count: number) => until(() => begun === count) }
}

test('runs are listed newest first, with what they are about and how long they took', async () => {
  const { clock, orchestrator, calls } = await timed(60_000)
  for (const [index, id, prompt] of [
    [1, 'z', '\n  The tides\r\nand more'],
    [2, 'b', 'x'.repeat(300)],
  ] as const) {
    const run = orchestrator.run(sequential(['a']), prompt, { id })
    await calls(index)
    await clock.advance(60_000)
    await run
    await clock.advance(3_600_000)
  }
  orchestrator.run(sequential(['a']), 'go', { id: 'm' }).then(ignored, ignored)
  await calls(3)
  await clock.advance(10_000)
  const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString()
  const listed = await orchestrator.runs.list()
  expect(listed).toMatchObject([
    { runId: 'm', status: 'running', topic: 'go', startedAt: at(7_320_000), durationMs: 10_000 },
    { runId: 'b', status: 'succeeded', topic: 'x'.repeat(200), startedAt: at(3_660_000), durationMs: 60_000 },
    { runId: 'z', status: 'succeeded', topic: 'The tides', startedAt: at(0), durationMs: 60_000 },
  ])
  expect(await orchestrator.runs.list({ open: true })).toEqual([listed[0]])
  expect(await orchestrator.runs.show('z')).toMatchObject({ topic: 'The tides', durationMs: 60_000 })
})

test('a step takes as long in its run as its task does in the statistics, with waiting', async () => {
  const { clock, store, orchestrator, calls } = await timed(5000)
  const agent = await orchestrator.agent('a')
  const before = agent.ask('Keep it busy.')
  await calls(1)
  await clock.advance(2000)
  const run = orchestrator.run(sequential(['a']), 'go', { id: 'r1' })
  run.then(ignored, ignored)
  await until(() => agent.snapshot.context.queue.length > 0)
  await clock.advance(3000)
  await before
  await calls(2)
  await clock.advance(5000)
  await run
  const [step] = (await orchestrator.runs.show('r1')).taken
  const ofRun = (await statistics(store, 'run')).find(({ key }) => key === 'r1')
  expect([step?.durationMs, ofRun?.p50Ms]).toEqual([8000, 8000])
})

test('a fork shows from which run an answer was carried over', async () => {
  const { orchestrator } = await (await world()).open()
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  await orchestrator.run(sequential(['a', 'b']), 'go', { id: 'r1' })
  await orchestrator.runs.fork('r1', { at: 2, as: 'r2' })
  const origins = async (id: string) =>
    (await orchestrator.runs.show(id)).taken.map((step) => step.carriedFrom)
  expect([await origins('r1'), await origins('r2')]).toEqual([[null, null], ['r1']])
  expect(await orchestrator.runs.plan('r2', sequential(['a', 'b']))).toMatchObject({
    reused: [{ agent: 'a', costUsd: 0, carriedFrom: 'r1' }],
  })
  await orchestrator.runs.resume('r2', sequential(['a', 'b']))
  expect(await origins('r2')).toEqual(['r1', null])
})
