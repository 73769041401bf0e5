/** Any moment of the past: the state of the live system then, and what has changed since. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { OverloadedError } from '../../src/events/errors/call.ts'
import { exportLog, openExport } from '../../src/history/log-archive.ts'
import { replayStream } from '../../src/history/replay-stream.ts'
import { stateAt } from '../../src/history/state-at.ts'
import { stateChanges } from '../../src/history/state-changes.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { CodeReviewWorkflow } from '../../src/workflows/code-review.ts'
import { ECHO, world } from '../actors/world.ts'

test('the state at every version is the one that the live system had, for a workflow with a retry', async () => {
  const { open, store, clock } = await world()
  const live = new Map<string, unknown[]>()
  /** The snapshots that Stately's inspector would draw. */
  const charts: string[] = []
  const { orchestrator } = await open(
    {
      reply: ({ agent, attempt }) =>
        agent === 'quality_reviewer' && attempt === 1 ? new OverloadedError() : `by ${agent}`,
    },
    {
      inspect(event) {
        const { id } = event.actorRef as unknown as { id: string }
        if (event.type === '@xstate.actor') {
          live.set(id, [])
          charts.push((event.actorRef as unknown as { logic: { config: { id: string } } }).logic.config.id)
        }
        if (event.type !== '@xstate.snapshot') return
        const { value, context } = event.snapshot as unknown as { value: unknown; context: unknown }
        // The first snapshot is the initial one.
        if (event.event.type !== 'xstate.init') live.get(id)?.push({ value, context })
      },
    },
  )
  const workflow = new CodeReviewWorkflow(orchestrator, {
    agents: { retry: { minDelayMs: 1, maxDelayMs: 1 } },
  })
  await workflow.setup()
  const running = workflow.execute('let x = 1', { id: 'r' })
  let isDone = false
  const end = () => {
    isDone = true
  }
  running.then(end, end)
  while (!isDone) {
    await clock.advance(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await running).success).toBe(true)
  expect([...live.keys()]).toContain('run/r')
  let compared = 0
  for (const [stream, states] of live) {
    expect(states).toHaveLength(await store.head(stream))
    for (const [index, state] of states.entries()) {
      expect((await orchestrator.history.stateAt(stream, index + 1)).state).toEqual(state)
      compared++
    }
  }
  expect(compared).toBe(await store.head())
  expect(new Set(charts)).toEqual(new Set(['agent', 'run']))
})

test('a time means the last fact that was written by then', async () => {
  const { open, clock } = await world()
  const { orchestrator } = await open()
  const begun = clock.now()
  const agent = await orchestrator.createAgent(ECHO)
  await clock.advance(60_000)
  await agent.ask('hello')
  const at = async (ms: number) =>
    (await orchestrator.history.stateAt('agent/echo', new Date(begun + ms))).version
  expect(await at(0)).toBe(1)
  expect(await at(59_999)).toBe(1)
  expect(await at(60_000)).toBe(agent.version)
  expect(await at(1e12)).toBe(agent.version)
  await expect(at(-1)).rejects.toMatchObject({ _tag: 'BeforeFirstFactError' })
  await expect(at(Number.NaN)).rejects.toMatchObject({ _tag: 'InvalidInputError' })
  expect((await orchestrator.history.stateAt('agent/echo', 0)).state.value).toBe('absent')
  await expect(orchestrator.history.stateAt('agent/echo', 99)).rejects.toMatchObject({
    _tag: 'VersionNotFoundError',
  })
  await expect(orchestrator.history.stateAt('agent/nobody')).rejects.toMatchObject({
    _tag: 'StreamNotFoundError',
  })
  await expect(orchestrator.history.stateAt('echo')).rejects.toMatchObject({ _tag: 'InvalidIdError' })
})

test('changes are listed path by path, and a queue that lost its first item has one change', () => {
  const before = { a: 1, same: [1], queue: [{ t: 1 }, { t: 2 }], gone: true, 'a b': { c: null } }
  const after = { a: 2, same: [1], queue: [{ t: 2 }], 'a b': { c: [1] }, new: {} }
  expect(stateChanges(before, after)).toEqual([
    { path: 'a', before: 1, after: 2 },
    { path: 'queue[0]', before: { t: 1 } },
    { path: 'gone', before: true },
    { path: '["a b"].c', before: null, after: [1] },
    { path: 'new', after: {} },
  ])
  expect(stateChanges(before, before)).toEqual([])
})

test('a replay begins and ends at the given versions, and an export replays without a store', async () => {
  const { open, store } = await world()
  const { orchestrator } = await open()
  const agent = await orchestrator.createAgent(ECHO)
  await agent.ask('x'.repeat(70_000))
  await orchestrator.run(sequential(['echo']), 'hello', { id: 'r' })
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await exportLog(store, join(folder, 'all.ndjson'))
  await exportLog(store, join(folder, 'run.ndjson'), { stream: 'run/r' })
  await using all = await openExport(join(folder, 'all.ndjson'))
  await using part = await openExport(join(folder, 'run.ndjson'))
  const steps = async (of: typeof all, from?: number, to?: number) => {
    const found: unknown[] = []
    const range = { ...(from && { from }), ...(to && { to }) }
    for await (const { recorded, before, after } of replayStream(of, 'run/r', range))
      found.push([recorded.version, recorded.id, before.value, after.context])
    return found
  }
  expect(await steps(all)).toEqual(await steps(store))
  expect(await steps(part)).toEqual(await steps(store))
  expect(await steps(all, 2, 3)).toEqual((await steps(store)).slice(1, 3))
  await expect(steps(all, 99)).rejects.toMatchObject({ _tag: 'VersionNotFoundError' })
  expect(await stateAt(all, 'agent/echo')).toEqual(await stateAt(store, 'agent/echo'))
  await expect(all.append('agent/echo', [])).rejects.toMatchObject({ _tag: 'StoreForReading' })
})
