/** A disk that is full: what was decided, and what was paid for, waits for room and is not forgotten. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AgentRunner } from '../../../src/claude/runner.ts'
import { CallCancelledError } from '../../../src/events/errors/call.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { onFullDisk } from '../../full-disk.ts'
import { repetitions } from '../../repetitions.ts'

const RUNS = repetitions('FULL_DISK_RUNS', { short: 80, long: 3000 })
const SEED = Number(process.env.FULL_DISK_SEED ?? 20_261_129)

async function opened(script: ScriptedRunnerOptions = {}) {
  const clock = virtualClock()
  const { disk, store } = onFullDisk(memoryStore())
  const runner = scriptedRunner({ clock, ...script })
  const orchestrator = await Orchestrator.open({ store, runner, clock, random: () => 1 })
  onTestFinished(() => orchestrator.close())
  return { clock, disk, store, runner, orchestrator }
}

/** Lets everything happen that needs no time to pass. */
async function quiet() {
  for (let round = 0; round < 20; round++) await setImmediate()
}

/** Its outcome in a word: the text, or the tag of the error. */
async function outcomeOf(reply: PromiseLike<{ readonly text: string }>): Promise<string> {
  try {
    return (await reply).text
  } catch (error) {
    return (error as { _tag?: string })._tag ?? String(error)
  }
}

const EXPENSIVE = { reply: () => ({ text: 'answered', costUsd: 1 }) } as const

describe('a cancellation on a full disk', () => {
  test.each(['of the handle', 'of the agent', 'of a signal'] as const)(
    '%s counts once there is room: the task never begins',
    async (by) => {
      const { clock, disk, runner, orchestrator } = await opened(EXPENSIVE)
      const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x', budget: { usd: 0.001 } })
      const stop = new AbortController()
      const task = agent.ask('work', { taskId: 't', signal: stop.signal })
      const outcome = outcomeOf(task)
      await agent.settled()
      disk.isFull = true
      if (by === 'of the handle') void task.cancel('no longer needed')
      if (by === 'of the agent') void agent.cancel('t', 'no longer needed')
      if (by === 'of a signal') stop.abort('no longer needed')
      await clock.advance(10_000)
      disk.isFull = false
      await agent.setBudget({ usd: null })
      await clock.advance(60_000)
      expect(await outcome).toBe('TaskCancelledError')
      expect(runner.calls).toEqual([])
    },
  )

  test('of a run resolves once there is room, also while a budget holds its step', async () => {
    const { clock, disk, runner, orchestrator } = await opened(EXPENSIVE)
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'x', budget: { usd: 0.001 } })
    const run = orchestrator.run(sequential(['a']), 'work', { id: 'r' })
    run.then(
      () => {},
      () => {},
    )
    await quiet()
    disk.isFull = true
    const cancelled = orchestrator.runs.cancel('r')
    await clock.advance(10_000)
    disk.isFull = false
    await clock.advance(60_000)
    await cancelled
    expect((await orchestrator.runs.show('r')).status).toBe('cancelled')
    expect(runner.calls).toEqual([])
  })
})

test('a run waits for room with what its steps have answered, and asks nothing twice', async () => {
  const { clock, disk, runner, orchestrator } = await opened({
    reply: () => ({ text: 'so much '.repeat(10_000), delayMs: 1000 }),
  })
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: 'x' })
  const run = orchestrator.run(sequential(['a', 'b']), 'work', { id: 'r' })
  for (const step of ['a', 'b']) {
    while (runner.calls.at(-1)?.agent !== step) await quiet()
    disk.isFull = true
    await clock.advance(90_000)
    disk.isFull = false
    await clock.advance(60_000)
  }
  expect((await run).success).toBe(true)
  expect(runner.calls.map(({ agent }) => agent)).toEqual(['a', 'b'])
})

test('an answer that waits for room is written while everything closes, if there is room by then', async () => {
  const { clock, disk, store, runner, orchestrator } = await opened({
    reply: () => ({ text: 'answered', costUsd: 1, delayMs: 1000 }),
  })
  const written: string[] = []
  const { append } = store
  Object.assign(store, {
    append: async (...given: Parameters<typeof append>) => {
      const recorded = await append(...given)
      written.push(...recorded.map(({ type }) => type))
      return recorded
    },
  })
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  agent.ask('work').catch(() => {})
  while (runner.calls.length === 0) await quiet()
  disk.isFull = true
  await clock.advance(1000)
  await quiet()
  disk.isFull = false
  await orchestrator.close()
  expect(written.at(-1)).toBe('CallSucceeded')
})

test('what a call cost waits for room while its agent is restarted', async () => {
  const clock = virtualClock()
  const { disk, store } = onFullDisk(memoryStore())
  let isEnding = false
  const usage = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 0 }
  const runner: AgentRunner = {
    async *start(_call, { signal }) {
      while (!(signal.aborted && isEnding)) await setImmediate()
      yield { type: 'spent', costUsd: 2, usage }
      throw new CallCancelledError()
    },
    recover: async () => ({ outcome: 'unsent' }),
  }
  const orchestrator = await Orchestrator.open({ store, runner, clock, random: () => 1 })
  onTestFinished(() => orchestrator.close())
  const agent = await orchestrator.createAgent({
    ...{ id: 'a', systemPrompt: 'x', timeoutMs: 1000, retry: { attempts: 0 } },
  })
  await orchestrator.supervise({ id: 'top', children: [{ agent: 'a' }] })
  const outcome = outcomeOf(agent.ask('work'))
  await quiet()
  await clock.advance(1000)
  expect(await outcome).toBe('CallTimeoutError')
  disk.isFull = true
  isEnding = true
  await quiet()
  disk.isFull = false
  await clock.advance(60_000)
  expect(await orchestrator.agents()).toMatchObject([{ status: 'idle', totalCostUsd: 2 }])
})

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ ask: fc.constantFrom(0, 400, 3000) }) },
  { weight: 2, arbitrary: fc.record({ cancel: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ isFull: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ passes: fc.constantFrom(1, 300, 700, 2500, 9000) }) },
)

test('whenever the disk is full: each answer is recorded once with its cost, and no cancelled task begins', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), async (script) => {
      const clock = virtualClock()
      const { disk, store } = onFullDisk(memoryStore())
      const answered: string[] = []
      const runner = scriptedRunner({
        clock,
        reply: ({ callId, prompt }) => {
          answered.push(callId)
          return { text: prompt, costUsd: 1, delayMs: Number(prompt) }
        },
      })
      // An answer that comes too late for its task is still paid for: the script does not heed its signal.
      const deaf: typeof runner = { ...runner, start: (call) => runner.start(call, { signal: NEVER }) }
      const orchestrator = await Orchestrator.open({ store, runner: deaf, clock, random: () => 1 })
      const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x', timeoutMs: 5000 })
      const tasks: { readonly id: string; readonly outcome: Promise<string> }[] = []
      const late = new Set<string>()
      for (const happens of script) {
        if ('ask' in happens) {
          const id = `t${tasks.length}`
          tasks.push({ id, outcome: outcomeOf(agent.ask(String(happens.ask), { taskId: id })) })
        } else if ('cancel' in happens) {
          const task = tasks.at(-1 - happens.cancel)
          const { queue } = agent.snapshot.context
          if (task && queue.some(({ taskId }) => taskId === task.id)) late.add(task.id)
          if (task) agent.cancel(task.id, 'no longer needed').catch(() => {})
        } else if ('isFull' in happens) {
          disk.isFull = happens.isFull
        } else {
          await clock.advance(happens.passes)
        }
      }
      disk.isFull = false
      await clock.advance(3600_000)
      await Promise.all(tasks.map(({ outcome }) => outcome))
      const recorded: string[] = []
      for await (const { type, data } of store.read('agent/a'))
        if (type === 'CallSucceeded' || type === 'LateAnswerRecorded') {
          recorded.push(String(data.callId))
          assert.equal(data.costUsd, 1)
        }
      assert.deepEqual(recorded.toSorted(), answered.toSorted())
      const begun = new Set(runner.calls.map(({ taskId }) => taskId))
      for (const id of late) assert(!begun.has(id), `${id} was cancelled in the queue, and began`)
      await orchestrator.close()
    }),
    { numRuns: RUNS, seed: SEED },
  )
})

const NEVER = new AbortController().signal

test('a budget that was set limits the next call, also if the disk was full when the call before it was settled', async () => {
  const clock = virtualClock()
  const { disk, store } = onFullDisk(memoryStore())
  const append: typeof store.append = async (stream, facts, options) => {
    if (!facts.some(({ type }) => type === 'BudgetSet')) return store.append(stream, facts, options)
    // The call ends while the budget is being set, and only the budget still finds room.
    await clock.advance(1000)
    await quiet()
    const recorded = await store.append(stream, facts, options)
    disk.isFull = true
    return recorded
  }
  const runner = scriptedRunner({ clock, reply: () => ({ text: 'answered', costUsd: 1, delayMs: 500 }) })
  const orchestrator = await Orchestrator.open({
    store: { ...store, append },
    runner,
    clock,
    random: () => 1,
  })
  onTestFinished(() => orchestrator.close())
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  const first = outcomeOf(agent.ask('first'))
  await quiet()
  const set = orchestrator.budgets.set({ usd: 0.5 })
  while (!disk.isFull) await quiet()
  await clock.advance(10_000)
  disk.isFull = false
  await clock.advance(60_000)
  expect(await set).toMatchObject({ spent: { usd: 1 }, reserved: { usd: 0 } })
  expect(await first).toBe('answered')
  void outcomeOf(agent.ask('second'))
  await quiet()
  expect(await orchestrator.held.list()).toMatchObject([{ reason: 'budget' }])
  expect(runner.calls).toHaveLength(1)
})
