import { describe, expect, onTestFinished, test } from 'vitest'
import { ClosedError, InvalidInputError } from '../src/events/errors/usage.ts'
import { Orchestrator } from '../src/orchestrator.ts'
import { sequential } from '../src/patterns/sequential.ts'
import { closeOnSignal } from '../src/shutdown.ts'
import type { EventStore } from '../src/store/event-store.ts'
import { memoryStore } from '../src/store/memory-store.ts'
import { scriptedRunner } from '../src/testing/scripted-runner.ts'
import { ECHO, until, world } from './actors/world.ts'

/** Virtual time runs ahead of the disk, so no deadline may pass in these tests. */
const PATIENT = { ...ECHO, timeoutMs: 1e9 }

const slowly = { reply: ({ prompt }: { prompt: string }) => ({ text: prompt, delayMs: 100 }) }

describe('an orchestrator that is drained', () => {
  test('accepts nothing new, and lets accepted work finish', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open(slowly)
    const agent = await orchestrator.createAgent(PATIENT)
    const taken = agent.ask('one')
    const run = orchestrator.run(sequential(['echo', 'echo']), 'two')
    await until(() => runner.calls.length === 1)
    const drained = orchestrator.drain({ withinMs: 1e9 })
    await expect(agent.ask('three')).rejects.toMatchObject({ _tag: 'ClosedError' })
    expect(() => orchestrator.run(sequential(['echo']), 'four')).toThrow('closed')
    let isDone = false
    drained.then(() => (isDone = true))
    while (!isDone) await here.clock.advance(50)
    expect(await drained).toBe(true)
    expect((await taken).text).toBe('one')
    expect((await run).success).toBe(true)
    await orchestrator.close()
  })

  test('waits for steps of a run that no agent has been asked yet', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open(slowly)
    await orchestrator.createAgent(PATIENT)
    await orchestrator.createAgent({ ...PATIENT, id: 'second' })
    const run = orchestrator.run(sequential(['echo', 'second', 'echo']), 'one')
    await until(() => runner.calls.length === 1)
    let isDone = false
    const drained = orchestrator.drain({ withinMs: 1e9 }).finally(() => {
      isDone = true
    })
    while (!isDone) await here.clock.advance(50)
    expect(await drained).toBe(true)
    expect(runner.calls).toHaveLength(3)
    expect((await run).success).toBe(true)
    await orchestrator.close()
  })

  test('leaves unfinished work to the next opening', async () => {
    const here = await world()
    const first = await here.open({ reply: () => ({ text: 'late', delayMs: 60_000 }) })
    const agent = await first.orchestrator.createAgent(PATIENT)
    const taken = agent.ask('one', { taskId: 't1' })
    taken.then(
      () => {},
      () => {},
    )
    await until(() => first.runner.calls.length === 1)
    const drained = first.orchestrator.drain({ withinMs: 1000 })
    await until(() => here.clock.pending >= 2)
    await here.clock.advance(1000)
    expect(await drained).toBe(false)
    await first.orchestrator.close()
    await expect(taken).rejects.toMatchObject({ _tag: 'ClosedError' })
    const { orchestrator } = await here.open({ recover: () => ({ outcome: 'unsent' }) })
    expect((await (await orchestrator.agent('echo')).ask('one', { taskId: 't1' })).text).not.toBe('')
  })
})

describe('an orchestrator that is closed while it is drained', () => {
  const never = { reply: () => ({ text: 'late', delayMs: 1e9 }) }

  /** The store, which stays open, has its own timers; they end soon. */
  const settledClock = async ({ clock }: Awaited<ReturnType<typeof world>>) => {
    await clock.advance(10_000)
    expect(clock.pending).toBe(0)
  }

  test.each(['a task', 'a run'] as const)('says that %s has not ended, and leaves no timer', async (what) => {
    const here = await world()
    const { orchestrator, runner } = await here.open(never)
    const agent = await orchestrator.createAgent(PATIENT)
    const open = what === 'a task' ? agent.ask('one') : orchestrator.run(sequential(['echo']), 'one')
    const ended = expect(open).rejects.toMatchObject({ _tag: 'ClosedError' })
    await until(() => runner.calls.length === 1)
    const drained = orchestrator.drain({ withinMs: 60_000 })
    const recovered = orchestrator.recover()
    const rejected = expect(recovered).rejects.toMatchObject({ _tag: 'ClosedError' })
    await orchestrator.close()
    expect(await drained).toBe(false)
    await ended
    await rejected
    await settledClock(here)
  })

  test('by a second signal leaves no timer, even if the sources of work do not stop', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open(never)
    const task = (await orchestrator.createAgent(PATIENT)).ask('one')
    const ended = expect(task).rejects.toMatchObject({ _tag: 'ClosedError' })
    await until(() => runner.calls.length === 1)
    const timers = () => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
    const before = timers()
    const { closed } = closeOnSignal(orchestrator, {
      signals: ['SIGUSR2'],
      finishWithinMs: 1e9,
      before: () => new Promise(() => {}),
    })
    process.emit('SIGUSR2')
    await until(() => timers() > before)
    process.emit('SIGUSR2')
    await closed
    await ended
    await settledClock(here)
    // One of before may have ended meanwhile.
    expect(timers()).toBeLessThanOrEqual(before)
  })
})

describe('who waits when the orchestrator is closed', () => {
  test('is told that the task or the run is kept, if it was accepted, and only then', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open({ reply: () => ({ text: 'late', delayMs: 1e9 }) })
    const agent = await orchestrator.createAgent(PATIENT)
    const task = agent.ask('one', { taskId: 't1' })
    const queued = agent.ask('two')
    const run = orchestrator.run(sequential(['echo']), 'three')
    await Promise.all([until(() => runner.calls.length === 1), run.begun])
    await orchestrator.close()
    for (const [asked, kept] of [
      [task, 'task'],
      [queued, 'task'],
      [run, 'run'],
      [agent.ask('four'), undefined],
    ] as const) {
      const error = await Promise.resolve(asked).catch((problem: unknown) => problem)
      expect(error).toBeInstanceOf(ClosedError)
      expect((error as ClosedError).details.kept).toBe(kept)
      if (kept) expect((error as ClosedError).message).toContain(`The ${kept} is kept.`)
    }
  })

  test('is told so exactly if the log has it, however early it is closed', async () => {
    const kept = new Set<unknown>()
    for (let turns = 0; turns < 30; turns++) {
      const store: EventStore = { ...memoryStore(), [Symbol.asyncDispose]: async () => {} }
      const runner = scriptedRunner({ reply: () => ({ text: 'late', delayMs: 1e8 }) })
      const orchestrator = await Orchestrator.open({ store, runner })
      const agent = await orchestrator.createAgent(PATIENT)
      const run = orchestrator.run(sequential(['echo']), 'one', { id: 'r1' })
      const task = agent.ask('two', { taskId: 't1' })
      run.begun.catch(() => {})
      const said = Promise.all([run, task].map((one) => Promise.resolve(one).catch((error) => error)))
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      await orchestrator.close()
      const [ofRun, ofTask] = (await said).map((error) => (error as ClosedError).details.kept)
      kept.add(ofRun).add(ofTask)
      let isAccepted = false
      for await (const { type, data } of store.readAll())
        isAccepted ||= type === 'TaskAccepted' && data.taskId === 't1'
      expect([turns, ofRun]).toEqual([turns, (await store.head('run/r1')) > 0 ? 'run' : undefined])
      expect([turns, ofTask]).toEqual([turns, isAccepted ? 'task' : undefined])
    }
    expect(kept).toContain('run')
    expect(kept).toContain('task')
  })

  test('reads no drafts for ever', async () => {
    const { orchestrator } = await (await world()).open()
    const agent = await orchestrator.createAgent(PATIENT)
    const reading = agent.drafts().next()
    await orchestrator.close()
    expect(await reading).toEqual({ done: true, value: undefined })
    expect(await agent.drafts().next()).toEqual({ done: true, value: undefined })
  })
})

test('a source of work that cannot be stopped does not keep running work from finishing', async () => {
  const here = await world()
  const { orchestrator, runner } = await here.open(slowly)
  const task = (await orchestrator.createAgent(PATIENT)).ask('one')
  await until(() => runner.calls.length === 1)
  const uncaught = process.listeners('uncaughtException')
  const errors: unknown[] = []
  process.removeAllListeners('uncaughtException').once('uncaughtException', (error) => errors.push(error))
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of uncaught) process.on('uncaughtException', listener)
  })
  let isClosed = false
  const { closed } = closeOnSignal(orchestrator, {
    signals: ['SIGUSR2'],
    finishWithinMs: 1e9,
    before: () => {
      throw new Error('the server is not running')
    },
  })
  void closed.then(() => {
    isClosed = true
  })
  process.emit('SIGUSR2')
  while (!isClosed) await here.clock.advance(50)
  expect((await task).text).toBe('one')
  expect(errors).toEqual([new Error('the server is not running')])
})

test('a second signal closes at once, and leaves the work to the next opening', async () => {
  const here = await world()
  const { orchestrator, runner } = await here.open(slowly)
  const agent = await orchestrator.createAgent(PATIENT)
  const taken = agent.ask('one', { taskId: 't1' })
  taken.catch(() => {})
  await until(() => runner.calls.length === 1)
  const { closed } = closeOnSignal(orchestrator, { signals: ['SIGUSR2'], finishWithinMs: 1e9 })
  process.emit('SIGUSR2')
  process.emit('SIGUSR2')
  await closed
  await expect(taken).rejects.toMatchObject({ _tag: 'ClosedError' })
  expect(await here.types('echo')).not.toContain('CallSucceeded')
  const next = await here.open({ recover: () => ({ outcome: 'unsent' }) })
  expect((await (await next.orchestrator.agent('echo')).ask('one', { taskId: 't1' })).text).toBe('echo: one')
})

test('a signal stops the sources of work, drains and closes, and removes its handlers', async () => {
  const here = await world()
  const { orchestrator, runner } = await here.open(slowly)
  const taken = (await orchestrator.createAgent(PATIENT)).ask('one')
  await until(() => runner.calls.length === 1)
  const order: string[] = []
  const handlers = process.listenerCount('SIGUSR2')
  closeOnSignal(orchestrator, {
    signals: ['SIGUSR2'],
    finishWithinMs: 1e9,
    before: () => void order.push('before'),
  })
  taken.then(() => order.push('answered'))
  process.emit('SIGUSR2')
  while (process.listenerCount('SIGUSR2') > handlers) await here.clock.advance(50)
  expect(order).toEqual(['before', 'answered'])
  await expect(orchestrator.agents()).rejects.toMatchObject({ _tag: 'ClosedError' })
})

describe('a shutdown whose orchestrator is closed by the program', () => {
  test('is over, and listens to no signal any more', async () => {
    const { orchestrator } = await (await world()).open()
    const before = process.listenerCount('SIGUSR2')
    const { closed, begin } = closeOnSignal(orchestrator, { signals: ['SIGUSR2'] })
    expect(process.listenerCount('SIGUSR2')).toBe(before + 1)
    await orchestrator.close()
    await closed
    expect(process.listenerCount('SIGUSR2')).toBe(before)
    begin()
    begin({ finishWithinMs: 0 })
  })

  test('is over even if it had begun, and its source of work never stops', async () => {
    const { orchestrator } = await (await world()).open()
    const { closed, begin } = closeOnSignal(orchestrator, {
      signals: ['SIGUSR2'],
      finishWithinMs: 1e9,
      before: () => new Promise(() => {}),
    })
    begin()
    await orchestrator.close()
    await closed
  })
})

test('a shutdown is refused that would end at once, or never, by mistake', async () => {
  const { orchestrator } = await (await world()).open()
  const before = process.listenerCount('SIGTERM')
  for (const options of [
    { finishWithinMs: Number.NaN },
    { finishWithinMs: -1 },
    { finishWithin: 5 },
    { signals: ['SIGFOO'] },
    { signals: ['SIGKILL'] },
    { signals: 'SIGTERM' },
    { before: 5 },
  ])
    expect(() => closeOnSignal(orchestrator, options as never), JSON.stringify(options)).toThrow(
      InvalidInputError,
    )
  await expect(orchestrator.drain({ withinMs: Number.NaN })).rejects.toThrow(InvalidInputError)
  expect(process.listenerCount('SIGTERM')).toBe(before)
})
