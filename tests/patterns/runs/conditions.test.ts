/** What lists say of a run that has not ended: only one that a living process executes is running. */
import { expect, test } from 'vitest'
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

  const { orchestrator } = await here.open()
  expect(await condition(orchestrator)).toBe('waiting')
  const run = orchestrator.runs.resume('r1', sequential(['a', 'b']))
  expect(await condition(orchestrator)).toBe('running')
  await run
  expect(await condition(orchestrator)).toBe('succeeded')
})

test('another process that reads the store hears from its owner what runs', async () => {
  const { own, remote } = await served(endless)
  await begun(own, sequential(['a', 'b']), 1)
  expect(await condition(remote)).toBe('running')
  expect(await remote.runs.show('r1')).toEqual(await own.runs.show('r1'))
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
