/** What a reader gets of a run, from the log alone, is what the run itself gave. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AuthenticationError } from '../../../src/events/errors/call.ts'
import { canonicalJson } from '../../../src/events/json.ts'
import { approved } from '../../../src/patterns/approved.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import type { Pattern } from '../../../src/patterns/pattern.ts'
import { pipeline } from '../../../src/patterns/pipeline.ts'
import { pool } from '../../../src/patterns/pool.ts'
import { race } from '../../../src/patterns/race.ts'
import {
  type RecordedStepEvent,
  RecordedStepEvents,
  type StepEvent,
} from '../../../src/patterns/runs/step-event.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { until, world } from '../../actors/world.ts'
import { repetitions } from '../../repetitions.ts'

const AGENTS = ['a', 'b', 'c'] as const

const PATTERNS: Readonly<Record<string, Pattern>> = {
  sequential: sequential(['a', 'b', 'c', 'a']),
  parallel: parallel(['a', 'b', 'c']),
  failing: parallel(['a', 'b', 'c'], { onError: 'fail' }),
  pool: parallel([pool('a', { size: 2 }), pool('a', { size: 2 }), 'b']),
  // What was answered is asked for again: the log does not tell when a resumed workflow no longer needs an answer.
  pipeline: pipeline([
    { agent: parallel(['a', 'b'], { onError: 'fail' }) },
    { agent: 'c', prompt: 'sum up {{input}}' },
  ]),
  race: race(['a', 'b', 'c']),
}

/** Which agents fail in the first execution, and after how many answers it is paused; 9 is never. */
const course = fc.record({
  pattern: fc.constantFrom(...Object.keys(PATTERNS)),
  failing: fc.subarray([...AGENTS]),
  pausedAfter: fc.constantFrom(0, 1, 2, 9, 9, 9),
})

const outcome = (result: PromiseLike<unknown>) =>
  result.then(
    (value) => value,
    ({ _tag, message }) => ({ _tag, message }),
  )

/** Costs are sums in any order; agents that are asked at once are scheduled in any. */
const rounded = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (name, part) =>
    name === 'costUsd' ? Math.round(part * 1e6) : name === 'agents' ? part.toSorted() : part,
  )

async function execution(here: Awaited<ReturnType<typeof world>>, failing: readonly string[]) {
  return here.open({
    reply: ({ agent }) =>
      failing.some((name) => agent.startsWith(name))
        ? new AuthenticationError({ said: 'no key' })
        : { text: `by ${agent}`, costUsd: 0.01 },
  })
}

describe('the result of a run', () => {
  test('is the same from the log alone as from the run, whichever steps failed and however often it was resumed', () =>
    fc.assert(
      fc.asyncProperty(course, async ({ pattern: name, failing, pausedAfter }) => {
        const here = await world()
        const pattern = PATTERNS[name] as Pattern
        let { orchestrator } = await execution(here, failing)
        for (const id of AGENTS)
          await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.`, retry: { attempts: 0 } })
        const events: StepEvent[] = []
        for (const resumed of [false, true]) {
          if (resumed) ({ orchestrator } = await execution(here, []))
          const run = resumed
            ? orchestrator.runs.resume('r1', pattern)
            : orchestrator.run(pattern, 'go', { id: 'r1', name })
          let answers = 0
          run.subscribe((event) => {
            events.push(event)
            if (event.state === 'succeeded') answers += 1
            if (!resumed && answers === pausedAfter) void run.pause()
          })
          const given = await outcome(run)
          const isPaused = (given as { _tag?: string })._tag === 'RunInterruptedError'
          if (!isPaused) {
            const reader = await here.open()
            expect(rounded(await outcome(reader.orchestrator.runs.result('r1')))).toEqual(rounded(given))
            await reader.orchestrator.close()
          }
          await orchestrator.close()
          if ((given as { success?: boolean }).success) break
        }
        const recorded = new RecordedStepEvents()
        const seen: RecordedStepEvent[] = []
        for await (const fact of here.store.readAll()) seen.push(...recorded.take(fact))
        const told = events
        const sorted = (list: readonly RecordedStepEvent[]) =>
          list
            .map(({ stepKey, agent, state, costUsd, tokens, text, problem }) =>
              canonicalJson(rounded({ stepKey, agent, state, costUsd, tokens, text, problem })),
            )
            .sort()
        expect(sorted(seen)).toEqual(sorted(told))
      }),
      { numRuns: repetitions('RESULTS', { short: 10, long: 200 }) },
    ))

  test('tells again what holds a step when the run resumes', async () => {
    const here = await world()
    const pattern = sequential([approved('a')])
    const first = await here.open()
    await first.orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a.' })
    const begun = first.orchestrator.run(pattern, 'go', { id: 'r1' })
    outcome(begun)
    const states: string[] = []
    begun.subscribe(({ state }) => void states.push(state))
    await until(() => states.includes('held'))
    await first.orchestrator.close()

    const { orchestrator } = await here.open()
    const run = orchestrator.runs.resume('r1', pattern)
    run.subscribe(({ state }) => void states.push(state))
    await until(() => states.filter((state) => state === 'held').length === 2)
    const [task] = await orchestrator.held.list()
    await orchestrator.held.approve(task?.taskId ?? '')
    await run
    const recorded = new RecordedStepEvents()
    const seen: string[] = []
    for await (const fact of here.store.readAll()) seen.push(...recorded.take(fact).map(({ state }) => state))
    expect(seen).toEqual(states)
  })

  test('is waited for by any process, until the run has ended', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open({ reply: () => ({ text: 'late', delayMs: 1000 }) })
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a.' })
    const run = orchestrator.run(sequential(['a']), 'go', { id: 'r1' })
    await until(() => runner.calls.length === 1)
    const reader = await here.open({}, { resume: 'on-demand' })
    let isOver = false
    const result = reader.orchestrator.runs.result('r1').finally(() => {
      isOver = true
    })
    await orchestrator.runs.list()
    expect(isOver).toBe(false)
    await here.clock.advance(1000)
    expect(await result).toEqual(await run)
  })

  test('of a cancelled run is the error that its caller got; of an unknown one, the name that was meant', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open({ reply: () => ({ text: '', delayMs: 9e12 }) })
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a.' })
    const run = orchestrator.run(sequential(['a']), 'go', { id: 'report-7' })
    const given = outcome(run)
    await until(() => runner.calls.length === 1)
    await orchestrator.runs.cancel('report-7', 'too slow')
    expect(await outcome(orchestrator.runs.result('report-7'))).toEqual(await given)
    await expect(orchestrator.runs.result('report-8')).rejects.toThrow('Did you mean "report-7"?')
  })
})
