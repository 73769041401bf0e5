import { concatMap, expand } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { debate } from '../../../src/patterns/loop-until.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import type { Pattern } from '../../../src/patterns/pattern.ts'
import { pipeline } from '../../../src/patterns/pipeline.ts'
import { race } from '../../../src/patterns/race.ts'
import type { Run } from '../../../src/patterns/runs/run.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { ScriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { until, world } from '../../actors/world.ts'

/** A run of these agents, paused when all but the stuck ones have answered. Each answer costs a cent. */
async function pausedRun(pattern: Pattern, stuck: readonly string[]) {
  const here = await world()
  const { orchestrator, runner } = await here.open({
    reply: ({ agent }) =>
      stuck.includes(agent) ? { text: '', delayMs: 9e12 } : { text: `by ${agent}`, costUsd: 0.01 },
  })
  for (const id of pattern.agents ?? [])
    await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  const run = orchestrator.run(pattern, 'go', { id: 'r1' })
  run.then(
    () => {},
    () => {},
  )
  await othersAnswered(run, runner, stuck)
  await run.pause()
  return { here, orchestrator, runner }
}

/** Resolves when the stuck agents have been asked and all others have answered. */
async function othersAnswered(run: Run, { calls }: ScriptedRunner, stuck: readonly string[]): Promise<void> {
  let answered = 0
  run.subscribe(({ state }) => {
    if (state === 'succeeded') answered++
  })
  const asked = (agent: string) => calls.some((call) => call.agent === agent)
  await until(() => stuck.every(asked) && calls.length - answered === stuck.length)
}

const names = (steps: readonly { agent: string }[]) => steps.map(({ agent }) => agent)

describe('the plan of a run', () => {
  test('lists the reused steps with their cost, and the steps that are asked with all that depend on them', async () => {
    const workflow = (word: string) =>
      pipeline([{ agent: parallel(['a', 'b']) }, { agent: 'c', prompt: `${word} {{input}}` }, { agent: 'd' }])
    const { orchestrator } = await pausedRun(workflow('sum up'), ['d'])
    const same = await orchestrator.runs.plan('r1', workflow('sum up'))
    expect(names(same.reused)).toEqual(['a', 'b', 'c'])
    expect(same.reused[0]).toEqual({ agent: 'a', stepKey: expect.any(String), costUsd: 0.01 })
    expect(names(same.rerun)).toEqual(['d'])
    const edited = await orchestrator.runs.plan('r1', workflow('shorten'))
    expect({ ...edited, reused: names(edited.reused), rerun: names(edited.rerun) }).toEqual({
      reused: ['a', 'b'],
      rerun: ['c', 'd'],
      complete: true,
    })
  })

  test('is what resuming does', async () => {
    const workflow = (word: string) =>
      sequential([parallel(['a', 'b']), 'c', 'd'], { transform: (text) => `${word} ${text}` })
    const { here, orchestrator } = await pausedRun(workflow('short'), ['d'])
    const plan = await orchestrator.runs.plan('r1', workflow('long'))
    await orchestrator.close()
    const next = await here.open({ reply: ({ agent }) => `by ${agent}` })
    const states = { reused: [] as string[], scheduled: [] as string[] }
    const run = next.orchestrator.runs.resume('r1', workflow('long'))
    run.subscribe(({ state, agent }) => states[state as 'reused']?.push(agent))
    await run
    expect(states).toEqual({ reused: names(plan.reused), scheduled: names(plan.rerun) })
  })

  test('makes no call and writes nothing', async () => {
    const { here, orchestrator, runner } = await pausedRun(sequential(['a', 'b']), ['b'])
    const [head, calls] = [await here.store.head(), runner.calls.length]
    await orchestrator.runs.plan('r1', sequential(['a', 'b']))
    expect([await here.store.head(), runner.calls.length]).toEqual([head, calls])
  })

  test('lists all steps of an undecided race, and none of a decided one', async () => {
    const open = await pausedRun(sequential(['first', race(['a', 'b'])]), ['a', 'b'])
    const plan = await open.orchestrator.runs.plan('r1', sequential(['first', race(['a', 'b'])]))
    expect(names(plan.rerun)).toEqual(['a', 'b'])
    const decided = sequential([race(['slow', 'quick']), 'last'])
    const { orchestrator } = await pausedRun(decided, ['slow', 'last'])
    const { reused, rerun } = await orchestrator.runs.plan('r1', decided)
    expect([names(reused), names(rerun)]).toEqual([['quick'], ['last']])
  })

  test('follows a loop to its last round, because no check accepts a placeholder', async () => {
    const pattern = sequential(['first', debate({ writer: 'w', critic: 'c', rounds: 3 })])
    const { orchestrator } = await pausedRun(pattern, ['w'])
    const { rerun } = await orchestrator.runs.plan('r1', pattern)
    expect(names(rerun)).toEqual(['w', 'c', 'w', 'c', 'w'])
  })

  test('is incomplete if a check needs the real answer', async () => {
    const stages = (check: (text: string) => void) =>
      pipeline([{ agent: 'a' }, { agent: 'b', check }, { agent: 'c' }])
    const { orchestrator } = await pausedRun(
      stages(() => {}),
      ['b'],
    )
    const pattern = stages(() => {
      throw new Error('this is not JSON')
    })
    const plan = await orchestrator.runs.plan('r1', pattern)
    expect({ ...plan, reused: names(plan.reused), rerun: names(plan.rerun) }).toEqual({
      reused: ['a'],
      rerun: ['b'],
      complete: false,
    })
  })

  test('ends, even for a workflow that would not', async () => {
    const endless: Pattern = Object.assign(
      ((ask) =>
        concatMap((task) =>
          ask('a', task).pipe(expand(({ text }) => ask('a', { prompt: text }))),
        )) as Pattern,
      { agents: ['a', 'b'] },
    )
    const { orchestrator } = await pausedRun(sequential(['a', 'b']), ['b'])
    const { rerun, complete } = await orchestrator.runs.plan('r1', endless)
    expect([rerun.length, complete]).toEqual([10_000, false])
  })

  test('is refused for unknown and ended runs, and for agents that do not exist', async () => {
    const { orchestrator } = await pausedRun(sequential(['a', 'b']), ['b'])
    const refusal = (id: string, pattern: Pattern) =>
      orchestrator.runs.plan(id, pattern).then(
        () => 'none',
        ({ _tag }) => _tag,
      )
    expect(await refusal('r2', sequential(['a']))).toBe('RunNotFoundError')
    expect(await refusal('r1', sequential(['nobody']))).toBe('AgentNotFoundError')
    await orchestrator.runs.cancel('r1')
    expect(await refusal('r1', sequential(['a', 'b']))).toBe('RunFinishedError')
  })
})
