import { describe, expect, test, vi } from 'vitest'
import { AuthenticationError, OverloadedError, RefusedError } from '../../../src/events/errors/call.ts'
import { mapReduce } from '../../../src/patterns/map-reduce.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { pool } from '../../../src/patterns/pool.ts'
import { race } from '../../../src/patterns/race.ts'
import type { Run } from '../../../src/patterns/runs/run.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { vote } from '../../../src/patterns/vote.ts'
import type { ScriptedRunnerOptions } from '../../../src/testing/scripted-runner.ts'
import { until, world } from '../../actors/world.ts'

type World = Awaited<ReturnType<typeof world>>

/** An orchestrator with these agents. */
async function team(here: World, names: readonly string[], script: ScriptedRunnerOptions = {}) {
  const opened = await here.open(script)
  for (const id of names) {
    const known = (await opened.orchestrator.agents()).some((agent) => agent.id === id)
    if (!known)
      await opened.orchestrator.createAgent({ id, systemPrompt: `You are ${id}.`, retry: { attempts: 0 } })
  }
  return opened
}

/** Every agent answers at once, except the named ones, which never do. */
const stuck = (...names: string[]): ScriptedRunnerOptions => ({
  reply: ({ agent, prompt }) =>
    names.includes(agent) ? { text: '', delayMs: 9e12 } : `${agent}: ${prompt.slice(0, 20)}`,
})

/** Resolves when this many steps of a run have been answered. */
async function taken(run: Run, steps: number): Promise<void> {
  let answered = 0
  run.subscribe(({ state }) => {
    if (state === 'succeeded') answered++
  })
  await until(() => answered === steps)
}

const echo: ScriptedRunnerOptions = { reply: ({ agent }) => `by ${agent}` }

describe('a run', () => {
  test('resolves with the result of its workflow', async () => {
    const here = await world()
    const { orchestrator } = await team(here, ['a', 'b'], {
      reply: ({ agent }) => ({ text: `by ${agent}`, costUsd: 0.5 }),
    })
    const result = await orchestrator.run(sequential(['a', 'b']), 'go', { id: 'r1', name: 'report' })
    expect(result).toEqual({
      pattern: 'report',
      agents: ['a', 'b'],
      results: { a: 'by a', b: 'by b' },
      metadata: { runId: 'r1', finalOutput: 'by b', costUsd: 1, steps: 2, reused: 0 },
      success: true,
      errors: [],
    })
    const now = new Date(here.clock.now()).toISOString()
    expect(await orchestrator.runs.list()).toEqual([
      {
        ...{ runId: 'r1', name: 'report', status: 'succeeded', steps: 2, done: 2, costUsd: 1 },
        ...{ topic: 'go', startedAt: now, endedAt: now, durationMs: 0, driver: null, reason: null },
      },
    ])
  })

  test('keeps the other answers when a step of a parallel fails, and reports the failure', async () => {
    const { orchestrator } = await team(await world(), ['a', 'b', 'c'], {
      reply: ({ agent }) => (agent === 'b' ? new RefusedError() : `by ${agent}`),
    })
    const result = await orchestrator.parallel(['a', 'b', 'c'], 'go')
    expect(result).toMatchObject({
      success: false,
      results: { a: 'by a', c: 'by c' },
      errors: [{ agent: 'b', code: 'RefusedError', message: 'The model refused to answer.' }],
    })
  })

  test('that fails names the agent, keeps its answers, and can be resumed', async () => {
    const here = await world()
    const first = await team(here, ['a', 'b'], {
      reply: ({ agent }) => (agent === 'b' ? new AuthenticationError() : `by ${agent}`),
    })
    const pattern = sequential(['a', 'b'])
    const failed = await first.orchestrator.run(pattern, 'go', { id: 'r1' })
    expect(failed).toMatchObject({
      success: false,
      results: { a: 'by a' },
      errors: [{ agent: 'b', code: 'AuthenticationError' }],
    })
    expect((await first.orchestrator.runs.list())[0]?.status).toBe('failed')
    await first.orchestrator.close()
    const { orchestrator, runner } = await here.open(echo)
    const result = await orchestrator.runs.resume('r1', pattern)
    expect(result).toMatchObject({ success: true, metadata: { steps: 2, reused: 1 } })
    expect(runner.calls.map(({ agent }) => agent)).toEqual(['b'])
  })

  test('reports each step as it happens', async () => {
    const { orchestrator } = await team(await world(), ['a', 'b'], echo)
    const run = orchestrator.run(sequential(['a', 'b']), 'go')
    const events: string[] = []
    for await (const { agent, state } of run) events.push(`${agent} ${state}`)
    expect(events).toEqual(['a scheduled', 'a succeeded', 'b scheduled', 'b succeeded'])
  })

  test('correlates the facts of each agent with the run', async () => {
    const here = await world()
    const { orchestrator } = await team(here, ['a'], echo)
    await orchestrator.run(sequential(['a']), 'go', { id: 'r1' })
    const facts = []
    for await (const fact of here.store.readAll()) facts.push(fact)
    const scheduled = facts.find(({ type }) => type === 'StepScheduled')
    const accepted = facts.find(({ type }) => type === 'TaskAccepted')
    expect(accepted).toMatchObject({ correlationId: 'r1', causationId: scheduled?.id })
  })
})

describe('a run that a crash interrupted', () => {
  test('resumes where it was, and pays for nothing twice', async () => {
    const here = await world()
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    const pattern = parallel(names)
    const first = await team(here, names, stuck('f', 'g'))
    const run = first.orchestrator.run(pattern, 'go', { id: 'r1' })
    run.then(
      () => {},
      () => {},
    )
    await taken(run, 5)
    await first.orchestrator.close()
    await expect(run).rejects.toMatchObject({ _tag: 'ClosedError' })

    const { orchestrator, runner } = await here.open(echo)
    expect((await orchestrator.runs.list())[0]).toMatchObject({ status: 'waiting', steps: 7, done: 5 })
    const result = await orchestrator.runs.resume('r1', pattern)
    expect(runner.calls.map(({ agent }) => agent).sort()).toEqual(['f', 'g'])
    expect(result).toMatchObject({ success: true, metadata: { steps: 7, reused: 5 } })
    expect(Object.keys(result.results).sort()).toEqual(names)
  })

  test('asks again only the changed steps, and those that depend on them', async () => {
    const here = await world()
    const workflow = (style: string) =>
      sequential(['a', 'b', 'c'], {
        transform: (text, { step }) => (step === 1 ? `${style}: ${text}` : text),
      })
    const first = await team(here, ['a', 'b', 'c'], stuck('c'))
    const run = first.orchestrator.run(workflow('short'), 'go', { id: 'r1' })
    run.then(
      () => {},
      () => {},
    )
    await until(() => first.runner.calls.length === 3 && here.clock.pending >= 2)
    await run.pause()
    await first.orchestrator.close()
    const { orchestrator, runner } = await here.open(echo)
    await orchestrator.runs.resume('r1', workflow('long'))
    expect(runner.calls.map(({ agent, prompt }) => `${agent} ${prompt.slice(0, 4)}`)).toEqual([
      'b long',
      'c by b',
    ])
  })

  test('asks again the steps of an agent that was recreated with another system prompt', async () => {
    const here = await world()
    const first = await team(here, ['a', 'b'], stuck('b'))
    const run = first.orchestrator.run(parallel(['a', 'b']), 'go', { id: 'r1' })
    run.then(
      () => {},
      () => {},
    )
    await until(() => first.runner.calls.length === 2 && here.clock.pending >= 2)
    await run.pause()
    await first.orchestrator.removeAgent('a')
    await first.orchestrator.createAgent({ id: 'a', systemPrompt: 'You are somebody else.' })
    await first.orchestrator.close()
    const { orchestrator, runner } = await here.open(echo)
    await orchestrator.runs.resume('r1', parallel(['a', 'b']))
    expect(runner.calls.map(({ agent }) => agent).sort()).toEqual(['a', 'b'])
  })

  test('starts no loser of a decided race', async () => {
    const here = await world()
    const pattern = sequential([race(['slow', 'quick']), 'last'])
    const first = await team(here, ['slow', 'quick', 'last'], stuck('slow', 'last'))
    const run = first.orchestrator.run(pattern, 'go', { id: 'r1' })
    run.then(
      () => {},
      () => {},
    )
    await until(() => first.runner.calls.some(({ agent }) => agent === 'last') && here.clock.pending >= 2)
    await first.orchestrator.close()
    const { orchestrator, runner } = await here.open(echo)
    await orchestrator.runs.resume('r1', pattern)
    expect(runner.calls.map(({ agent }) => agent)).toEqual(['last'])
  })

  test('asks only for the missing votes', async () => {
    const here = await world()
    let answered = 0
    const first = await team(here, ['voter'], {
      reply: () => (answered++ < 3 ? 'yes' : { text: '', delayMs: 9e12 }),
    })
    const pattern = vote(['voter'], { votes: 5 })
    const run = first.orchestrator.run(pattern, 'go', { id: 'r1' })
    run.then(
      () => {},
      () => {},
    )
    await taken(run, 3)
    await first.orchestrator.close()
    const { orchestrator, runner } = await here.open({
      reply: () => 'no',
    })
    const result = await orchestrator.runs.resume('r1', pattern)
    expect(runner.calls.length).toBe(2)
    expect(result.metadata).toMatchObject({ finalOutput: 'yes', steps: 5, reused: 3 })
  })
})

describe('one run id', () => {
  test('is one run, however often it is started', async () => {
    const here = await world()
    const { orchestrator, runner } = await team(here, ['a'], echo)
    const start = () => orchestrator.run(sequential(['a']), 'go', { id: 'r1' })
    const [first, second] = [start(), start()]
    expect(second).toBe(first)
    const result = await first
    const third = await start()
    expect(third).toMatchObject({
      results: result.results,
      success: true,
      metadata: { finalOutput: 'by a', reused: 1 },
    })
    expect(runner.calls.length).toBe(1)
  })

  test('stands for one input: another input is refused before any call, during the run and afterwards', async () => {
    const here = await world()
    const { orchestrator, runner } = await team(here, ['a'], echo)
    const run = orchestrator.run(sequential(['a']), 'go', { id: 'r1' })
    const other = orchestrator.run(sequential(['a']), 'stay', { id: 'r1' })
    await expect(other.begun).rejects.toMatchObject({ _tag: 'RunConflictError' })
    await expect(other).rejects.toThrow('with another input')
    await run
    for (const input of ['stay', { prompt: 'go', textInput: 'there' }])
      await expect(orchestrator.run(sequential(['a']), input, { id: 'r1' })).rejects.toMatchObject({
        _tag: 'RunConflictError',
      })
    expect(await orchestrator.run(sequential(['a']), { prompt: 'go' }, { id: 'r1' })).toMatchObject({
      metadata: { reused: 1 },
    })
    expect(runner.calls.length).toBe(1)
  })
})

describe('a run that is interrupted', () => {
  test('is paused by its signal, its calls are cancelled, and it can be resumed', async () => {
    const here = await world()
    const { orchestrator, runner } = await team(here, ['a', 'b'], {
      reply: ({ agent, attempt, taskId }) =>
        agent === 'b' && attempt === 1 && taskId.endsWith('.1') ? { text: '', delayMs: 9e12 } : `by ${agent}`,
    })
    const stop = new AbortController()
    const run = orchestrator.run(sequential(['a', 'b']), 'go', { id: 'r1', signal: stop.signal })
    run.then(
      () => {},
      () => {},
    )
    await until(() => runner.calls.length === 2 && here.clock.pending >= 2)
    stop.abort('enough for today')
    await expect(run).rejects.toMatchObject({
      _tag: 'RunInterruptedError',
      message: expect.stringContaining('enough'),
    })
    expect((await orchestrator.runs.list())[0]).toMatchObject({ status: 'paused', done: 1 })
    expect(await here.types('b')).toContain('TaskCancelled')
    expect(await orchestrator.runs.resume('r1', sequential(['a', 'b']))).toMatchObject({
      success: true,
      metadata: { reused: 1 },
    })
  })

  test('is cancelled for good', async () => {
    const here = await world()
    const { orchestrator, runner } = await team(here, ['a'], stuck('a'))
    const run = orchestrator.run(sequential(['a']), 'go', { id: 'r1' })
    run.then(
      () => {},
      () => {},
    )
    await until(() => runner.calls.length === 1 && here.clock.pending >= 2)
    await orchestrator.runs.cancel('r1', 'not needed')
    await expect(run).rejects.toThrow('not needed')
    await expect(orchestrator.runs.resume('r1', sequential(['a']))).rejects.toMatchObject({
      _tag: 'RunFinishedError',
    })
  })
})

describe('a pool', () => {
  test('does several tasks of an agent at a time, keeps their order, and its copies go with the run', async () => {
    const here = await world()
    const pieces = Array.from({ length: 100 }, (_, index) => `piece ${index}`)
    let most = 0
    let now = 0
    const { orchestrator, runner } = await team(here, ['worker'], {
      reply: async ({ prompt }) => {
        most = Math.max(most, ++now)
        await until(() => now === 8 || runner.calls.length > 92)
        await new Promise<void>((resolve) => setImmediate(resolve))
        now--
        return prompt.toUpperCase()
      },
    })
    const pattern = mapReduce({ split: () => pieces, map: pool('worker', { size: 8 }) })
    const result = await orchestrator.run(pattern, 'go', { id: 'r1' })
    expect(most).toBe(8)
    expect(result.metadata.finalOutput).toBe(pieces.map((piece) => piece.toUpperCase()).join('\n\n'))
    expect(new Set(runner.calls.map(({ agent }) => agent)).size).toBe(8)
    expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(['worker'])
  })
})

describe('a pool that two runs share', () => {
  test('loses no copy that the other run still needs', async () => {
    const here = await world()
    const { orchestrator, runner } = await team(here, ['worker'], {
      // The longer run is in the middle of something whenever the shorter one ends.
      reply: ({ prompt }) => ({ text: prompt, delayMs: prompt.startsWith('long') ? 5 : 1 }),
    })
    const pattern = (pieces: readonly string[]) =>
      mapReduce({ split: () => pieces, map: pool('worker', { size: 2 }) })
    const runs = [
      orchestrator.run(pattern(['short 1', 'short 2']), 'go', { id: 'short' }),
      orchestrator.run(pattern(['long 1', 'long 2', 'long 3', 'long 4', 'long 5']), 'go', { id: 'long' }),
    ]
    let ended = 0
    for (const run of runs) run.then(() => ended++)
    while (ended < 2) await here.clock.advance(1)
    expect((await runs[0])?.success).toBe(true)
    expect(await runs[1]).toMatchObject({ success: true, metadata: { steps: 5 } })
    expect(runner.calls.length).toBe(7)
    expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(['worker'])
  })

  test('has no copies left when a run that no process executes is cancelled', async () => {
    const here = await world()
    const first = await team(here, ['worker'], stuck('worker.1', 'worker.2'))
    const pattern = mapReduce({ split: () => ['one', 'two'], map: pool('worker', { size: 2 }) })
    const run = first.orchestrator.run(pattern, 'go', { id: 'r1' })
    run.then(
      () => {},
      () => {},
    )
    await until(() => first.runner.calls.length === 2 && here.clock.pending >= 2)
    await first.orchestrator.close()
    const { orchestrator } = await here.open({}, { resume: 'on-demand' })
    await orchestrator.runs.cancel('r1')
    expect(await orchestrator.runs.show('r1')).toMatchObject({ status: 'cancelled', steps: 0 })
    expect(await orchestrator.agents()).toMatchObject([{ id: 'worker', queue: 0 }])
  })
})

describe('one agent that is asked many tasks at once', () => {
  test('does them one after another, without a warning from Node', async () => {
    const warnings: Error[] = []
    const warn = (warning: Error) => warnings.push(warning)
    process.on('warning', warn)
    const { orchestrator } = await team(await world(), ['a'], echo)
    const result = await orchestrator.run(vote(['a'], { votes: 30 }), 'go')
    process.off('warning', warn)
    expect(result.metadata.steps).toBe(30)
    expect(warnings).toEqual([])
  })
})

describe('invalid input is refused before any call:', () => {
  test('an unknown agent, an empty prompt, a bad id, an unknown run', async () => {
    const here = await world()
    const { orchestrator, runner } = await team(here, ['a'], echo)
    await expect(orchestrator.run(sequential(['a', 'bb']), 'go')).rejects.toMatchObject({
      _tag: 'AgentNotFoundError',
    })
    expect(() => orchestrator.run(sequential(['a']), ' ')).toThrow('empty')
    expect(() => orchestrator.run(sequential(['a']), 'go', { id: '../x' })).toThrow('not a valid run id')
    await expect(orchestrator.runs.resume('none', sequential(['a']))).rejects.toMatchObject({
      _tag: 'RunNotFoundError',
    })
    await expect(orchestrator.runs.show('none')).rejects.toMatchObject({ _tag: 'RunNotFoundError' })
    expect(runner.calls).toEqual([])
  })

  test('a run that is running or has succeeded cannot be resumed', async () => {
    const here = await world()
    const { orchestrator } = await team(here, ['a'], echo)
    const run = orchestrator.run(sequential(['a']), 'go', { id: 'r1' })
    expect(() => orchestrator.runs.resume('r1', sequential(['a']))).toThrow(
      expect.objectContaining({ _tag: 'RunActiveError', message: expect.stringContaining('is running') }),
    )
    await run
    await expect(orchestrator.runs.resume('r1', sequential(['a']))).rejects.toMatchObject({
      _tag: 'RunFinishedError',
    })
  })

  test('an overloaded service does not end a run: the agent retries', async () => {
    const here = await world()
    const { orchestrator } = await here.open({
      reply: ({ attempt }) => (attempt === 1 ? new OverloadedError() : 'fine'),
    })
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
    const run = orchestrator.sequential(['a'], 'go')
    await vi.waitFor(() => expect(agent.status).toBe('retry'), { timeout: 60_000 })
    await here.clock.advance(60_000)
    expect(await run).toMatchObject({ success: true })
  })
})
