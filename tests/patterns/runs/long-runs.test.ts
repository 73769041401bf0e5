/** A run settles, however long it is: live, resumed with recorded answers, planned, and when its pattern never ends. */
import { catchError, concatMap, expand, from, last, NEVER, type Observable, of, take } from 'rxjs'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../../../src/patterns/answers.ts'
import { debate, loopUntil } from '../../../src/patterns/loop-until.ts'
import { mapReduce } from '../../../src/patterns/map-reduce.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { type Ask, type Pattern, patternOf } from '../../../src/patterns/pattern.ts'
import { pipeline } from '../../../src/patterns/pipeline.ts'
import { pool } from '../../../src/patterns/pool.ts'
import { race } from '../../../src/patterns/race.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { vote } from '../../../src/patterns/vote.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { until, world } from '../../actors/world.ts'
import { repetitions } from '../../repetitions.ts'

/** The steps of a run; what holds a recursion for each of them has run out of stack by `long`. */
const LONG = repetitions('RUN_STEPS', { short: 100, long: 400 })
const times = <T>(count: number, item: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => item(index))
const ignored = () => {}

/** Asks again and again, as a program writes it with RxJS. */
const expanding = patternOf(['w'], (ask, task) =>
  ask('w', task).pipe(
    expand(({ text }, index) => ask('w', { prompt: `${index} ${text}` })),
    take(LONG),
    last(),
  ),
)
const recursing = patternOf(['w'], (ask, task) => {
  const from = (count: number): Observable<Answer> =>
    ask('w', { prompt: `${task.prompt} ${count}` }).pipe(
      concatMap((answer) => (count === 1 ? of(answer) : from(count - 1))),
    )
  return from(LONG)
})

const PATTERNS: Readonly<Record<string, Pattern>> = {
  sequential: sequential(times(LONG, () => 'w')),
  pipeline: pipeline(times(LONG, (index) => ({ agent: 'w', prompt: `stage ${index}` }))),
  loopUntil: loopUntil('w', { until: () => false, rounds: LONG }),
  debate: debate({ writer: 'w', critic: 'c', rounds: LONG / 2 }),
  'a map with one at a time': mapReduce({ split: () => times(LONG, String), map: 'w' }),
  'a map over a pool': mapReduce({ split: () => times(LONG, String), map: pool('w', { size: 2 }) }),
  vote: vote(['w'], { votes: LONG, concurrency: 1 }),
  'parallel chains': parallel(times(5, () => sequential(times(LONG / 5, () => 'w')))),
  'a pattern of your own with expand': expanding,
  'a pattern of your own with recursion': recursing,
}

describe(`a run of ${LONG} answered steps`, () => {
  test.each(Object.entries(PATTERNS))('of %s is planned and resumed from the log', async (_, pattern) => {
    let isStuck = true
    const { open } = await world()
    const reply = ({ agent }: { agent: string }) =>
      isStuck && agent === 'z' ? { text: '', delayMs: 9e12 } : `by ${agent}`
    const { orchestrator } = await open({ reply }, { store: memoryStore() })
    for (const id of ['w', 'c', 'z']) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
    const whole = sequential([pattern, 'z'])
    const run = orchestrator.run(whole, 'go', { id: 'r1' })
    run.then(ignored, ignored)
    let isLast = false
    run.subscribe(({ agent }) => {
      isLast ||= agent === 'z'
    })
    await until(() => isLast)
    await run.pause()
    isStuck = false

    const { reused, rerun, complete } = await orchestrator.runs.plan('r1', whole)
    expect({ asked: rerun.map(({ agent }) => agent), complete }).toEqual({ asked: ['z'], complete: true })
    expect(reused.length).toBeGreaterThanOrEqual(LONG - 1)
    expect(await orchestrator.runs.resume('r1', whole)).toMatchObject({
      success: true,
      metadata: { finalOutput: 'by z', reused: reused.length },
    })
  })
})

test('a live run of 2,000 steps settles, and so does its plan when nothing is answered', async () => {
  const { orchestrator } = await (await world()).open({}, { store: memoryStore() })
  await orchestrator.createAgent({ id: 'w', systemPrompt: 'You work.' })
  const pattern = sequential(times(2000, () => 'w'))
  expect(await orchestrator.run(pattern, 'go')).toMatchObject({ success: true, metadata: { steps: 2000 } })
  const paused = orchestrator.run(pattern, 'go', { id: 'r1', signal: AbortSignal.abort('later') })
  await expect(paused).rejects.toMatchObject({ _tag: 'RunInterruptedError' })
  expect(await orchestrator.runs.plan('r1', pattern)).toMatchObject({ complete: true, reused: [] })
})

test('a first step that is asked again, before many recorded ones, needs no more stack than they do', async () => {
  let isBroken = true
  const { orchestrator } = await (await world()).open(
    { reply: ({ prompt }) => (isBroken && prompt === 'piece 0' ? new Error('not now') : prompt) },
    { store: memoryStore() },
  )
  await orchestrator.createAgent({ id: 'w', systemPrompt: 'You work.', retry: { attempts: 0 } })
  const each = times(1000, (index) => patternOf(['w'], (ask) => ask('w', { prompt: `piece ${index}` })))
  const pattern = parallel(each, { concurrency: 1 })
  expect(await orchestrator.run(pattern, 'go', { id: 'r1' })).toMatchObject({ success: false })
  isBroken = false
  expect(await orchestrator.runs.resume('r1', pattern)).toMatchObject({
    success: true,
    metadata: { reused: 999 },
  })
})

describe('a run that would never settle', () => {
  /** Nests as deep as no stack reaches, without asking anyone. */
  const deep = (ask: Ask, levels: number): Observable<Answer> =>
    levels === 0
      ? ask('w', { prompt: 'at the bottom' })
      : from(Promise.resolve()).pipe(concatMap(() => deep(ask, levels - 1)))
  const tooDeep = patternOf(['w'], (ask) => deep(ask, 20_000))

  test('because its pattern ran out of stack fails, says so, and can be resumed', async () => {
    const { orchestrator } = await (await world()).open()
    await orchestrator.createAgent({ id: 'w', systemPrompt: 'You work.' })
    const result = await orchestrator.run(tooDeep, 'go', { id: 'r1' })
    expect(result).toMatchObject({ success: false, errors: [{ code: 'WorkflowTooDeepError' }] })
    expect(result.errors[0]?.message).toContain('Maximum call stack size exceeded')
    await expect(orchestrator.runs.plan('r1', tooDeep)).rejects.toMatchObject({
      _tag: 'WorkflowTooDeepError',
    })
    expect(await orchestrator.runs.resume('r1', sequential(['w']))).toMatchObject({ success: true })
  })

  test('because its pattern waits although none of its asks is open fails after ten seconds', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open()
    await orchestrator.createAgent({ id: 'w', systemPrompt: 'You work.' })
    const pattern = patternOf(['w'], (ask, task) => ask('w', task).pipe(concatMap(() => NEVER)))
    const run = orchestrator.run(pattern, 'go', { id: 'r1' })
    let answers = 0
    run.subscribe(({ state }) => {
      if (state === 'succeeded') answers++
    })
    await until(() => answers === 1 && clock.nextAt !== null)
    await clock.advance(10_000)
    expect(await run).toMatchObject({ success: false, errors: [{ code: 'RunStalledError' }] })
    expect((await orchestrator.runs.list())[0]?.status).toBe('failed')
  })

  test.each([
    ['waits for no ask', patternOf(['w'], (ask, task) => ask('w', task).pipe(concatMap(() => NEVER)))],
    [
      'ignores that its ask failed',
      patternOf(['w'], (ask, task) => ask('w', task).pipe(catchError(() => NEVER))),
    ],
    ['is a race that nobody can win', race(['w'], { accept: () => false })],
  ])('because its pattern %s rejects when the orchestrator closes', async (name, pattern) => {
    const { open } = await world()
    const isAnswered = name === 'waits for no ask'
    const { orchestrator } = await open({ reply: () => ({ text: '', delayMs: isAnswered ? 0 : 9e12 }) })
    await orchestrator.createAgent({ id: 'w', systemPrompt: 'You work.' })
    const run = orchestrator.run(pattern, 'go', { id: 'r1' })
    run.then(ignored, ignored)
    const seen: string[] = []
    run.subscribe(({ state }) => void seen.push(state))
    await until(() => seen.includes(isAnswered ? 'succeeded' : 'scheduled'))
    await orchestrator.close()
    await expect(run).rejects.toMatchObject({ _tag: 'ClosedError' })
  })

  test('waits for an ask that is open, however long that takes', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open({ reply: () => ({ text: 'at last', delayMs: 60_000 }) })
    await orchestrator.createAgent({ id: 'w', systemPrompt: 'You work.' })
    const run = orchestrator.run(sequential(['w']), 'go')
    run.then(ignored, ignored)
    await until(() => clock.pending >= 2)
    await clock.advance(60_000)
    expect(await run).toMatchObject({ success: true, metadata: { finalOutput: 'at last' } })
  })
})
