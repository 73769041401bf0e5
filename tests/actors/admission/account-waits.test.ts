/** Failures that are not a task's fault: the account has to wait, or the session to continue is gone. */

import { describe, expect, test } from 'vitest'
import { pause } from '../../../src/clock.ts'
import {
  CallTimeoutError,
  InvalidRequestError,
  OverloadedError,
  ProcessKilledError,
  PromptTooLargeError,
  RateLimitedError,
  SessionNotFoundError,
} from '../../../src/events/errors/call.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { ECHO, until, world } from '../world.ts'

type World = Awaited<ReturnType<typeof world>>

async function scheduled({ store }: World) {
  const found: { because: unknown; waitMs: number }[] = []
  for await (const { type, at, data } of store.read('agent/echo')) {
    if (type !== 'RetryScheduled') continue
    found.push({ because: data.because, waitMs: Date.parse(String(data.dueAt)) - Date.parse(at) })
  }
  return found
}

/**
 * Has every wait of a task pass until it ends. A wait may begin after its state is seen, since that needs the disk: so time
 * goes on only to a timer that is near, and never to the task's deadline.
 */
async function waitOut(task: Promise<unknown>, clock: World['clock']) {
  let isOver = false
  const over = () => {
    isOver = true
  }
  task.then(over, over)
  const nextMs = () => (clock.nextAt ?? Number.POSITIVE_INFINITY) - clock.now()
  while (!isOver) {
    await until(() => isOver || nextMs() <= 60_000)
    if (!isOver) await clock.advance(nextMs())
  }
}

describe('an account that is rate-limited', () => {
  test('makes the task wait, longer each time, and costs it no retry', async () => {
    const here = await world()
    const { orchestrator } = await here.open({
      reply: ({ attempt }) => (attempt <= 5 ? new OverloadedError() : 'at last'),
    })
    const agent = await orchestrator.createAgent({ ...ECHO, retry: { attempts: 0, maxDelayMs: 8_000 } })
    const task = agent.ask('x')
    await waitOut(task, here.clock)
    expect(await task).toMatchObject({ text: 'at last', attempts: 6 })
    expect(await scheduled(here)).toEqual(
      [1_000, 2_000, 4_000, 8_000, 8_000].map((waitMs) => ({ because: 'account', waitMs })),
    )
  })

  test('waits as long as the service asks', async () => {
    const here = await world()
    const { orchestrator } = await here.open({
      reply: ({ attempt }) => (attempt === 1 ? new RateLimitedError({ retryAfterMs: 90_000 }) : 'fine'),
    })
    const agent = await orchestrator.createAgent(ECHO)
    const task = agent.ask('x')
    await until(() => agent.status === 'retry')
    await here.clock.advance(90_000)
    expect((await task).text).toBe('fine')
    expect(await scheduled(here)).toEqual([{ because: 'account', waitMs: 90_000 }])
  })

  test('stops the task’s clock: its deadline moves by the wait', async () => {
    const here = await world()
    const { orchestrator } = await here.open({
      reply: ({ attempt }) =>
        attempt === 1
          ? new RateLimitedError({ retryAfterMs: 3_600_000 })
          : { text: 'too late', delayMs: 9_000 },
    })
    const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 5_000 })
    const task = agent.ask('x')
    await until(() => agent.status === 'retry')
    await here.clock.advance(3_600_000)
    await until(() => agent.status === 'busy' && here.clock.pending >= 2)
    expect(agent.snapshot.context.current?.attempt).toBe(2)
    await here.clock.advance(4_999)
    expect(agent.status).toBe('busy')
    await here.clock.advance(1)
    await expect(task).rejects.toBeInstanceOf(CallTimeoutError)
  })

  test('and a restart during the wait still wakes when the wait is over', async () => {
    const { open, clock } = await world()
    const first = await open({ reply: () => new RateLimitedError({ retryAfterMs: 60_000 }) })
    const agent = await first.orchestrator.createAgent({ ...ECHO, timeoutMs: 5_000 })
    agent.ask('x', { taskId: 't1' }).catch(() => {})
    await until(() => agent.status === 'retry')
    await clock.advance(20_000)
    await first.orchestrator.close()
    const { orchestrator, runner } = await open()
    const same = await orchestrator.agent('echo')
    await clock.advance(39_999)
    expect(runner.calls.length).toBe(0)
    await clock.advance(1)
    await until(() => same.status === 'idle')
    expect((await same.ask('x', { taskId: 't1' })).text).toBe('echo: x')
  })

  test('gets one call at a time after a restart, until it answers', async () => {
    const { open, clock } = await world()
    const first = await open({
      reply: async () => {
        await pause(clock, 1000)
        return new RateLimitedError({ retryAfterMs: 60_000 })
      },
    })
    const agents = ['a', 'b', 'c'].map((id) => ({ ...ECHO, id }))
    for (const agent of agents) {
      const handle = await first.orchestrator.createAgent(agent)
      handle.ask('x', { taskId: agent.id }).catch(() => {})
    }
    await until(() => first.runner.calls.length === 3 && clock.pending >= 6)
    await clock.advance(1000)
    for (const { id } of agents) {
      const agent = await first.orchestrator.agent(id)
      await until(() => agent.status === 'retry')
    }
    await first.orchestrator.close()
    const { orchestrator, runner } = await open({ reply: () => ({ text: 'fine', delayMs: 1000 }) })
    await clock.advance(60_000)
    await until(() => runner.calls.length > 0)
    await clock.advance(999)
    expect(runner.calls.length).toBe(1)
    await clock.advance(1)
    await until(() => runner.calls.length > 1)
    await orchestrator.close()
  })

  test('gives the time of a refused call back to its task, a minute at most', async () => {
    for (const { tookMs, leftMs } of [
      { tookMs: 20_000, leftMs: 600_000 },
      { tookMs: 60_000, leftMs: 600_000 },
      { tookMs: 150_000, leftMs: 510_000 },
    ]) {
      const here = await world()
      const { orchestrator } = await here.open({
        reply: async () => {
          await pause(here.clock, tookMs)
          return new RateLimitedError({ retryAfterMs: 1000 })
        },
      })
      const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 600_000 })
      agent.ask('x').catch(() => {})
      await until(() => agent.status === 'busy' && here.clock.pending >= 2)
      await here.clock.advance(tookMs)
      await until(() => agent.status === 'retry')
      expect(agent.snapshot.context.current?.leftMs).toBe(leftMs)
      await orchestrator.close()
    }
  })

  test('does not use up retries for later failures', async () => {
    const { open, clock } = await world()
    const { orchestrator, runner } = await open({
      reply: ({ attempt }) => (attempt <= 3 ? new OverloadedError() : new ProcessKilledError()),
    })
    const agent = await orchestrator.createAgent(ECHO)
    const task = agent.ask('x')
    task.catch(() => {})
    await waitOut(task, clock)
    await expect(task).rejects.toBeInstanceOf(ProcessKilledError)
    // Three refusals, and the two calls that jitter allows.
    expect(runner.calls.length).toBe(5)
    expect(agent.status).toBe('error')
  })
})

describe('a session that is lost', () => {
  const losing = (lost: () => boolean) => ({
    reply: ({ parentSessionId, prompt }: { parentSessionId: string | null; prompt: string }) =>
      parentSessionId !== null && lost() ? new SessionNotFoundError() : `heard ${prompt.length}`,
  })

  test('is rebuilt: the next call begins a new one with the conversation so far', async () => {
    const { open, types } = await world()
    let isLost = false
    const { orchestrator, runner } = await open(losing(() => isLost))
    const agent = await orchestrator.createAgent(ECHO)
    const first = await agent.ask({ prompt: 'My name is Ada.', textInput: 'A letter.' })
    const second = await agent.ask('And I like tea.')
    isLost = true
    const third = await agent.ask('Who am I?')
    isLost = false
    const fourth = await agent.ask('And now?')

    const told = runner.calls.at(-2)
    expect(told?.parentSessionId).toBeNull()
    const said = ['My name is Ada.', 'A letter.', first.text, 'And I like tea.', second.text, 'Who am I?']
    const places = said.map((words) => told?.prompt.indexOf(words) ?? -1)
    expect(places).not.toContain(-1)
    expect(places).toEqual([...places].sort((one, other) => one - other))
    expect(told?.prompt.endsWith('Who am I?')).toBe(true)

    expect(third).toMatchObject({ attempts: 2, parentSessionId: second.sessionId })
    expect(runner.calls.at(-1)).toMatchObject({ parentSessionId: third.sessionId, prompt: 'And now?' })
    expect((await agent.sessions()).map(({ sessionId, rebuilt }) => [sessionId, rebuilt])).toEqual([
      [first.sessionId, false],
      [second.sessionId, false],
      [third.sessionId, true],
      [fourth.sessionId, false],
    ])
    expect((await types('echo')).slice(-9, -3)).toEqual([
      'CallStarted',
      'CallFailed',
      'SessionLost',
      'RetryScheduled',
      'CallStarted',
      'CallSucceeded',
    ])
  })

  test('stays marked as lost if the rebuilt call fails, and the next task rebuilds it at once', async () => {
    const { open, types } = await world()
    let isDown = false
    const { orchestrator, runner } = await open({
      reply({ parentSessionId }) {
        if (parentSessionId !== null) return new SessionNotFoundError()
        return isDown ? new ProcessKilledError() : 'fine'
      },
    })
    const agent = await orchestrator.createAgent({ ...ECHO, retry: { attempts: 0 } })
    await agent.ask('one')
    isDown = true
    await expect(agent.ask('two')).rejects.toBeInstanceOf(ProcessKilledError)
    isDown = false
    await agent.ask('three')
    expect(runner.calls.map(({ parentSessionId }) => parentSessionId !== null)).toEqual([
      false,
      true,
      false,
      false,
    ])
    expect(runner.calls.at(-1)?.prompt).toContain('one')
    expect((await types('echo')).filter((type) => type === 'SessionLost').length).toBe(1)
  })

  test.each([
    ['a rejected request (400)', () => new InvalidRequestError({ status: 400 })],
    ['a request that is too large (413)', () => new PromptTooLargeError({ status: 413 })],
  ])('is rebuilt as well after %s: something in its history may be the cause', async (_, rejection) => {
    const { open, types } = await world()
    const { orchestrator, runner } = await open({
      reply: ({ parentSessionId, prompt }) => (parentSessionId === null ? `heard ${prompt}` : rejection()),
    })
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('remember zebra')
    expect((await agent.ask('what was it?')).text).toContain('remember zebra')
    expect(runner.calls.map(({ parentSessionId }) => parentSessionId !== null)).toEqual([false, true, false])
    expect((await types('echo')).filter((type) => type === 'SessionLost').length).toBe(1)
  })

  test('is rebuilt once only: a request that is rejected again is the task that fails', async () => {
    const { open } = await world()
    const { orchestrator, runner } = await open({
      reply: ({ prompt }) => (prompt === 'fine' ? 'yes' : new InvalidRequestError({ status: 400 })),
    })
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('fine')
    await expect(agent.ask('bad')).rejects.toMatchObject({
      _tag: 'InvalidRequestError',
      hint: expect.stringContaining('agent reset'),
    })
    expect(runner.calls.length).toBe(3)
    await expect(agent.ask('bad', { session: 'fresh' })).rejects.toBeInstanceOf(InvalidRequestError)
    expect(runner.calls.length).toBe(4)
  })

  test('with a very long conversation keeps the newest turns and says how many it left out', async () => {
    const { open, store } = await world()
    let isLost = false
    const { orchestrator, runner } = await open(losing(() => isLost))
    const agent = await orchestrator.createAgent(ECHO)
    const cuts = () => cutsIn(store)
    for (let turn = 1; turn <= 5; turn += 1) await agent.ask(`turn ${turn} ${'x'.repeat(60_000)}`)
    isLost = true
    await agent.ask('Go on.')
    const prompt = runner.calls.at(-1)?.prompt ?? ''
    expect([1, 2, 3, 4, 5].filter((turn) => prompt.includes(`turn ${turn} `))).toEqual([3, 4, 5])
    expect(prompt).toContain('(2 earlier turns are left out)')
    expect(prompt.length).toBeLessThan(210_000)
    expect(await cuts()).toEqual([{ turns: 2, characters: 0 }])
  })

  test.each([
    ['the answer', 10, 150_000, 0],
    ['the prompt', 150_000, 100_000, 50_010],
    ['both', 300_000, 300_000, 400_020],
  ])('whose newest turn is too long keeps its end: %s', async (_, prompt, answer, characters) => {
    const here = await world()
    let isLost = false
    const { orchestrator, runner } = await here.open({
      reply: ({ parentSessionId }) =>
        parentSessionId !== null && isLost ? new SessionNotFoundError() : `${'a'.repeat(answer)} the end`,
    })
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('the oldest turn')
    await agent.ask(`${'p'.repeat(prompt)} asked`)
    isLost = true
    await agent.ask('Go on.')
    const text = runner.calls.at(-1)?.prompt ?? ''
    expect(text).toContain('a the end\n</assistant>\n</conversation>')
    if (prompt + answer < 400_000) expect(text).toContain('p asked\n</user>')
    expect(text.length).toBeLessThan(201_000)
    if (characters > 0) expect(text).toMatch(/\(\d+ characters are left out\)/)
    expect((await cutsIn(here.store))[0]?.characters ?? 0).toBeCloseTo(characters, -2)
  })
})

/** What the facts say was left out of rebuilt conversations. */
async function cutsIn(store: EventStore) {
  const cuts: { turns: number; characters: number }[] = []
  for await (const { type, data } of store.read('agent/echo'))
    if (type === 'ConversationCut')
      cuts.push({ turns: Number(data.turns), characters: Number(data.characters) })
  return cuts
}
