/** A step whose agent refuses is not paid for twice: a known task is looked for first, and one that is kept continues. */
import { describe, expect, test } from 'vitest'
import type { Call } from '../../../src/claude/runner.ts'
import { RefusedError } from '../../../src/events/errors/call.ts'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { race } from '../../../src/patterns/race.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { until, world } from '../../actors/world.ts'

const PATTERN = sequential(['a', 'b'])
const ignored = () => {}

/** Two agents; while `a` is held, its calls are not answered. Each process that opens continues the log of the one before. */
async function team() {
  const here = await world()
  const calls: Call[] = []
  let isHeld = false
  const reply = (call: Call) => {
    calls.push(call)
    return isHeld && call.agent === 'a' ? { text: '', delayMs: 9e12 } : `by ${call.agent}`
  }
  return {
    ...here,
    hold() {
      isHeld = true
    },
    letGo() {
      isHeld = false
    },
    /** The tasks of `a` that a call was made for: one for each time that the step was paid. */
    paid: () => new Set(calls.filter(({ agent }) => agent === 'a').map(({ taskId }) => taskId)).size,
    isAsked: () => calls.some(({ agent }) => agent === 'a'),
    open: (options = {}) => here.open({ reply }, options).then(({ orchestrator }) => orchestrator),
  }
}
type Team = Awaited<ReturnType<typeof team>>

/** A process is killed while `a` works for run r1; the next one finishes that task, and nobody resumes the run yet. */
async function answeredAfterCrash(here: Team, options = {}) {
  here.hold()
  const first = await here.open()
  for (const id of ['a', 'b'])
    await first.createAgent({ id, systemPrompt: `You are ${id}.`, retry: { attempts: 0 } })
  first.run(PATTERN, 'go', { id: 'r1' }).then(ignored, ignored)
  await until(here.isAsked)
  await first.close()
  here.letGo()
  const next = await here.open(options)
  await (await next.agent('a')).settled()
  return next
}

const step = async (orchestrator: Orchestrator) => (await orchestrator.runs.show('r1')).taken[0]?.state

describe('a step that was answered before a crash is answered from the log of its agent', () => {
  test('although the agent was stopped for good', async () => {
    const here = await team()
    const orchestrator = await answeredAfterCrash(here)
    await (await orchestrator.agent('a')).stop()
    expect(await orchestrator.runs.resume('r1', PATTERN)).toMatchObject({ success: true })
    expect(here.paid()).toBe(1)
  })

  test('although the supervisor of the agent has terminated it', async () => {
    const here = await team()
    const orchestrator = await answeredAfterCrash(here)
    const supervisor = await orchestrator.supervise({ id: 'top', children: [{ agent: 'a' }] })
    await supervisor.terminateChild('a')
    expect(await orchestrator.runs.resume('r1', PATTERN)).toMatchObject({ success: true })
    expect(here.paid()).toBe(1)
  })

  test('although the mailbox of the agent is filled at that moment', async () => {
    const here = await team()
    const orchestrator = await answeredAfterCrash(here, { limits: { mailbox: 1 } })
    const agent = await orchestrator.agent('a')
    here.hold()
    const other = agent.ask('something else', { taskId: 'other' })
    const known = (await orchestrator.runs.show('r1')).taken[0]?.taskId ?? ''
    const again = agent.ask('go', {
      taskId: known,
      origin: { correlationId: 'r1', causationId: 'r1', runId: 'r1', continues: null },
    })
    expect((await again).text).toBe('by a')
    await other.cancel()
    expect(await orchestrator.runs.resume('r1', PATTERN)).toMatchObject({ success: true })
    expect(here.paid()).toBe(2)
  })

  test('although the agent was removed, and created again', async () => {
    const here = await team()
    const orchestrator = await answeredAfterCrash(here)
    await orchestrator.removeAgent('a')
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a.', retry: { attempts: 0 } })
    expect(await orchestrator.runs.resume('r1', PATTERN)).toMatchObject({ success: true })
    expect(here.paid()).toBe(1)
  })
})

describe('a step whose task is kept by an agent that refuses stays open, and continues with that task', () => {
  /** A run whose agent is terminated by its supervisor while it works. */
  async function downWhileWorking(here: Team, pattern = PATTERN) {
    const orchestrator = await here.open()
    for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
    const supervisor = await orchestrator.supervise({ id: 'top', children: [{ agent: 'a' }] })
    here.hold()
    const run = orchestrator.run(pattern, 'go', { id: 'r1' })
    run.then(ignored, ignored)
    await until(here.isAsked)
    await supervisor.terminateChild('a')
    return { orchestrator, supervisor, run }
  }

  test('when its supervisor terminates it, and starts it again', async () => {
    const here = await team()
    const { orchestrator, supervisor, run } = await downWhileWorking(here)
    expect(await run).toMatchObject({ success: false, errors: [{ agent: 'a', code: 'AgentDownError' }] })
    expect(await step(orchestrator)).toBe('scheduled')
    expect(await orchestrator.runs.resume('r1', PATTERN)).toMatchObject({ success: false })
    expect(await step(orchestrator)).toBe('scheduled')
    here.letGo()
    await supervisor.restartChild('a')
    expect(await orchestrator.runs.resume('r1', PATTERN)).toMatchObject({ success: true })
    expect(here.paid()).toBe(1)
    expect(await here.types('a')).not.toContain('TaskCancelled')
  })

  test('unless the run succeeds without it: then the task is cancelled', async () => {
    const here = await team()
    const { orchestrator, run } = await downWhileWorking(here, race(['a', sequential(['b', 'b'])]))
    expect(await run).toMatchObject({ success: true })
    const { taken } = await orchestrator.runs.show('r1')
    expect(taken.map(({ agent, state }) => `${agent} ${state}`).sort()).toEqual([
      'a cancelled',
      'b succeeded',
      'b succeeded',
    ])
    expect((await orchestrator.agents()).map(({ queue }) => queue)).toEqual([0, 0])
  })

  test('when nobody knows if the task was written: the append failed', async () => {
    const here = await team()
    let isBroken = true
    const store: EventStore = {
      ...here.store,
      async append(...request: Parameters<EventStore['append']>) {
        const recorded = await here.store.append(...request)
        if (!isBroken || recorded[0]?.type !== 'TaskAccepted') return recorded
        isBroken = false
        throw new Error('EIO: i/o error, write')
      },
      [Symbol.asyncDispose]: async () => {},
    }
    // Its task is accepted alone.
    const first = await here.open({ store, resume: 'on-demand' })
    for (const id of ['a', 'b']) await first.createAgent({ id, systemPrompt: `You are ${id}.` })
    expect(await first.run(PATTERN, 'go', { id: 'r1' })).toMatchObject({ success: false })
    expect(await step(first)).toBe('scheduled')
    await first.close()
    const orchestrator = await here.open()
    expect(await orchestrator.runs.resume('r1', PATTERN)).toMatchObject({ success: true })
    expect(here.paid()).toBe(1)
  })
})

test('a step that was refused before its agent knew it has failed, and is asked again', async () => {
  const here = await team()
  const orchestrator = await here.open()
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  await (await orchestrator.agent('a')).stop()
  expect(await orchestrator.run(PATTERN, 'go', { id: 'r1' })).toMatchObject({
    success: false,
    errors: [{ agent: 'a', code: 'AgentStoppedError' }],
  })
  expect(await step(orchestrator)).toBe('failed')
  await (await orchestrator.agent('a')).reset()
  expect(await orchestrator.runs.resume('r1', PATTERN)).toMatchObject({ success: true })
  expect(here.paid()).toBe(1)
})

test('a task that the loser of a race had before a crash is cancelled, not left to be paid', async () => {
  const here = await world()
  const reply = ({ agent }: { agent: string }) =>
    agent === 'a' ? { text: '', delayMs: 9e12 } : agent === 'c' ? new RefusedError() : `by ${agent}`
  const first = await here.open({ reply })
  for (const id of ['a', 'b', 'c'])
    await first.orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  const pattern = parallel([race(['a', 'b']), 'c'])
  await first.orchestrator.run(pattern, 'go', { id: 'r1' })
  const { taken } = await first.orchestrator.runs.show('r1')
  expect(taken.filter(({ state }) => state === 'scheduled')).toEqual([])
  expect((await first.orchestrator.agents()).map(({ queue }) => queue)).toEqual([0, 0, 0])
})
