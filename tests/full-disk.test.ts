/** A store that refuses appends for a while: what was asked fails soon, or is done once there is room; closing waits for neither. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Ending, type Exit, KILLED } from '../src/actors/engine/exit.ts'
import { ClaudeAgentError } from '../src/events/errors/base.ts'
import { Orchestrator } from '../src/orchestrator.ts'
import { parallel } from '../src/patterns/parallel.ts'
import { race } from '../src/patterns/race.ts'
import { sequential } from '../src/patterns/sequential.ts'
import { memoryStore } from '../src/store/memory-store.ts'
import { scriptedRunner } from '../src/testing/scripted-runner.ts'
import { virtualClock } from '../src/testing/virtual-clock.ts'
import { onFullDisk } from './full-disk.ts'
import { repetitions } from './repetitions.ts'

const RUNS = repetitions('FULL_DISK_RUNS', { short: 40, long: 1000 })
const SEED = Number(process.env.FULL_DISK_SEED ?? 20_261_129)

/** Lets everything happen that needs no time to pass. */
async function quiet() {
  for (let round = 0; round < 50; round++) await setImmediate()
}

const PATTERNS = {
  sequential: sequential(['a', 'b']),
  race: race(['a', 'b']),
  pool: parallel([{ pool: 'a', size: 2 }, 'b']),
}

/** A system with two agents, a supervision tree, and a run that an earlier process has left. */
async function opened() {
  const clock = virtualClock()
  const { disk, store } = onFullDisk({ ...memoryStore({ clock }), async [Symbol.asyncDispose]() {} })
  const reply = () => ({ text: 'answered '.repeat(10), costUsd: 1, delayMs: 1000 })
  const open = () =>
    Orchestrator.open({ store, runner: scriptedRunner({ clock, reply }), clock, random: () => 1 })
  const before = await open()
  for (const id of ['a', 'b']) await before.createAgent({ id, systemPrompt: 'x' })
  before.run(PATTERNS.pool, 'left', { id: 'left' }).catch(() => {})
  await quiet()
  await before.close()
  const orchestrator = await open()
  const children: Ending[] = []
  /** A child that crashes when it is told to. */
  const start = () => {
    const ending = new Ending()
    children.push(ending)
    return {
      watch: (ended: (exit: Exit) => void) => ending.watch(ended),
      stop: async () => ending.end({ reason: 'shutdown', error: null }),
      kill: async () => ending.end(KILLED),
    }
  }
  const tree = await orchestrator.supervise({
    ...{ id: 'top', intensity: { maxRestarts: 1000, withinMs: 1000 } },
    children: [{ id: 'c', start }],
  })
  return { clock, disk, store, orchestrator, tree, children, start }
}

type World = Awaited<ReturnType<typeof opened>>

const COMMANDS: Record<string, (world: World, n: number) => PromiseLike<unknown>> = {
  ask: async ({ orchestrator }, n) => (await orchestrator.agent('a')).ask('work', { taskId: `t${n}` }),
  cancel: async ({ orchestrator }, n) => (await orchestrator.agent('a')).cancel(`t${n - 1}`, 'asked to'),
  sequential: ({ orchestrator }, n) => orchestrator.run(PATTERNS.sequential, 'go', { id: `r${n}` }),
  race: ({ orchestrator }, n) => orchestrator.run(PATTERNS.race, 'go', { id: `r${n}` }),
  pool: ({ orchestrator }, n) => orchestrator.run(PATTERNS.pool, 'go', { id: `r${n}` }),
  cancelRun: ({ orchestrator }, n) => orchestrator.runs.cancel(`r${n - 1}`),
  cancelLeft: ({ orchestrator }) => orchestrator.runs.cancel('left'),
  resumeLeft: async ({ orchestrator }) => orchestrator.runs.resume('left', PATTERNS.pool),
  budget: ({ orchestrator }, n) => orchestrator.budgets.set({ usd: n % 2 ? 2 : null }),
  runBudget: async ({ orchestrator }) => orchestrator.budgets.set({ usd: 1 }, { agent: 'a' }),
  create: ({ orchestrator }, n) => orchestrator.createAgent({ id: `x${n}`, systemPrompt: 'x' }),
  remove: ({ orchestrator }, n) => orchestrator.removeAgent(`x${n - 1}`),
  startChild: ({ tree, start }, n) => tree.startChild({ id: `s${n}`, start }),
  crash: async ({ children }) => children[0]?.end({ reason: 'crashed', error: null }),
  terminate: ({ tree }) => tree.terminateChild('c'),
  restart: ({ tree }) => tree.restartChild('c'),
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ command: fc.constantFrom(...Object.keys(COMMANDS)) }) },
  { weight: 2, arbitrary: fc.record({ isFull: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ passes: fc.constantFrom(1, 500, 1500, 9000) }) },
)

test('each command fails with a typed error or is done once there is room, and closing ends at once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 4, maxLength: 20 }),
      fc.boolean(),
      async (script, isFullAtEnd) => {
        const world = await opened()
        const { clock, disk, orchestrator } = world
        const open = new Set<string>()
        let n = 0
        for (const happens of script) {
          if ('isFull' in happens) disk.isFull = happens.isFull
          else if ('passes' in happens) await clock.advance(happens.passes)
          else {
            const name = `${happens.command} ${++n}`
            open.add(name)
            const ended = (error?: unknown) => {
              open.delete(name)
              if (error !== undefined && !(error instanceof ClaudeAgentError)) throw error
            }
            void Promise.resolve(COMMANDS[happens.command]?.(world, n)).then(() => ended(), ended)
            await setImmediate()
          }
        }
        disk.isFull = isFullAtEnd
        if (!isFullAtEnd) {
          await orchestrator.budgets.set({ usd: null })
          await orchestrator.budgets.set({ usd: null }, { agent: 'a' })
          await clock.advance(3_600_000)
          await quiet()
          assert.deepEqual([...open], [])
          for (const { runId, status } of await orchestrator.runs.list())
            if (runId !== 'left') assert(!['running', 'waiting'].includes(status), `${runId} is ${status}`)
        }
        let isClosed = false
        const closing = orchestrator.close().then(() => (isClosed = true))
        await quiet()
        assert(isClosed, 'closing waits')
        await closing
        assert.deepEqual([...open], [])
      },
    ),
    { numRuns: RUNS, seed: SEED },
  )
})

describe('while the disk is full', () => {
  test('a run that no process executes is cancelled once there is room', async () => {
    const { clock, disk, store, orchestrator } = await opened()
    const { append } = store
    // What becomes of its tasks is still written.
    store.append = async (stream, facts, options) => {
      disk.isFull ||= stream === 'run/left' && clock.now() < room
      return append(stream, facts, options)
    }
    const room = clock.now() + 10_000
    const cancelled = orchestrator.runs.cancel('left')
    await clock.advance(10_000)
    expect(disk.isFull).toBe(true)
    disk.isFull = false
    await clock.advance(60_000)
    await cancelled
    expect(await orchestrator.runs.show('left')).toMatchObject({ status: 'cancelled' })
    await orchestrator.close()
  })

  test('a supervisor refuses commands instead of letting them wait for an exit that cannot be recorded', async () => {
    const { clock, disk, orchestrator, tree, children, start } = await opened()
    disk.isFull = true
    children[0]?.end({ reason: 'crashed', error: null })
    const refused = { _tag: 'StoreReadOnly' }
    await expect(tree.terminateChild('c')).rejects.toMatchObject(refused)
    await quiet()
    await expect(tree.startChild({ id: 'd', start })).rejects.toMatchObject(refused)
    expect(children).toHaveLength(1)
    disk.isFull = false
    await clock.advance(60_000)
    expect(tree.children()).toMatchObject([{ id: 'c', status: 'running', restarts: 1 }])
    await tree.startChild({ id: 'd', start })
    await orchestrator.close()
  })

  test('a run whose end is refused, and the removal of its copies, is over once there is room', async () => {
    const { clock, disk, orchestrator } = await opened()
    const run = orchestrator.run(PATTERNS.pool, 'go', { id: 'r' })
    await quiet()
    let answered = 0
    run.subscribe(({ state }) => {
      if (state === 'succeeded') disk.isFull = ++answered === 2
    })
    await clock.advance(5000)
    expect(disk.isFull).toBe(true)
    disk.isFull = false
    await clock.advance(60_000)
    expect(await run).toMatchObject({ success: true })
    expect(await orchestrator.runs.show('r')).toMatchObject({ status: 'succeeded' })
    expect((await orchestrator.agents()).map(({ id }) => id).filter((id) => id.startsWith('a.'))).toEqual([])
    await orchestrator.close()
  })

  test('closing does not wait for a budget that was being set', async () => {
    const { clock, disk, store, orchestrator } = await opened()
    const { append } = store
    // A call ends while the budget is being set, and only the budget still finds room.
    store.append = async (stream, facts, options) => {
      if (!facts.some(({ type }) => type === 'BudgetSet')) return append(stream, facts, options)
      await clock.advance(1000)
      await quiet()
      const recorded = await append(stream, facts, options)
      disk.isFull = true
      return recorded
    }
    const asked = (await orchestrator.agent('a')).ask('work')
    asked.catch(() => {})
    await quiet()
    const set = orchestrator.budgets.set({ usd: 5 })
    set.catch(() => {})
    while (!disk.isFull) await quiet()
    await quiet()
    let isClosed = false
    void orchestrator.close().then(() => (isClosed = true))
    await quiet()
    expect(isClosed).toBe(true)
    await expect(set).rejects.toThrow(ClaudeAgentError)
  })
})
