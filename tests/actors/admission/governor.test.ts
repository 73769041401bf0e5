/** When a call may start: limited by the machine and by the account, with agents taking turns. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  adaptiveLimit,
  answered,
  type Caller,
  type CallSlot,
  entered,
  FairQueue,
  Governor,
  type GovernorLimits,
  hasRoom,
  left,
  refused,
} from '../../../src/actors/admission/governor.ts'
import { MailboxFullError } from '../../../src/events/errors/agent.ts'
import { OverloadedError, ProcessKilledError } from '../../../src/events/errors/call.ts'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { silentLogger } from '../../../src/logger.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { ECHO, until, world } from '../world.ts'

function governed(limits: Partial<GovernorLimits> = {}) {
  const clock = virtualClock()
  const governor = new Governor(
    {
      callsInFlight: Number.POSITIVE_INFINITY,
      processStarts: Number.POSITIVE_INFINITY,
      ...limits,
    },
    { clock, logger: silentLogger },
  )
  const entered: string[] = []
  const places = new Map<string, CallSlot>()
  const enter = (agent: string, { account = 'a', signal }: { account?: string; signal?: AbortSignal } = {}) =>
    governor
      .enter({ agent, account } satisfies Caller, signal ?? new AbortController().signal)
      .then((place) => {
        entered.push(agent)
        places.set(agent, place)
        return place
      })
  return { clock, governor, entered, places, enter }
}

describe('the governor', () => {
  test('admits as many calls as the machine can take, and the next one when one ends', async () => {
    const { clock, entered, places, enter } = governed({ callsInFlight: 2 })
    for (const agent of ['a', 'b', 'c', 'd']) void enter(agent)
    await clock.advance(0)
    expect(entered).toEqual(['a', 'b'])
    places.get('b')?.leave()
    places.get('b')?.leave()
    await clock.advance(0)
    expect(entered).toEqual(['a', 'b', 'c'])
  })

  test('lets processes start one after the other, also if one is silent for long', async () => {
    const { clock, entered, places, enter } = governed({ processStarts: 1 })
    for (const agent of ['a', 'b', 'c']) void enter(agent)
    await clock.advance(0)
    expect(entered).toEqual(['a'])
    places.get('a')?.heard(false)
    await clock.advance(0)
    expect(entered).toEqual(['a', 'b'])
    await clock.advance(30_000)
    expect(entered).toEqual(['a', 'b', 'c'])
  })

  test('gives each agent its turn, and all copies of an agent one together', async () => {
    const { clock, entered, places, enter } = governed({ callsInFlight: 1 })
    void enter('first')
    for (let copy = 1; copy <= 4; copy += 1) void enter(`many.${copy}`)
    void enter('single')
    for (let calls = 1; calls <= 5; calls += 1) {
      await clock.advance(0)
      places.get(entered.at(-1) ?? '')?.leave()
    }
    await clock.advance(0)
    expect(entered).toEqual(['first', 'many.1', 'single', 'many.2', 'many.3', 'many.4'])
  })

  test('halves the calls of an account that refuses one, waits as it asks, and admits more again', async () => {
    const { clock, entered, places, enter } = governed()
    const agents = Array.from({ length: 10 }, (_, index) => `a${index}`)
    for (const agent of agents) void enter(agent)
    await clock.advance(0)
    expect(entered.length).toBe(10)
    // Ten refusals from the same shortage count once.
    for (const agent of agents) places.get(agent)?.refused(agent === 'a3' ? 10_000 : 0)
    for (const agent of agents) places.get(agent)?.leave()
    for (const agent of agents) void enter(agent)
    await clock.advance(9_999)
    expect(entered.length).toBe(10)
    await clock.advance(1)
    expect(entered.length).toBe(15)
    for (const agent of entered.slice(10)) {
      places.get(agent)?.answered()
      places.get(agent)?.leave()
      await clock.advance(0)
    }
    expect(entered.length).toBe(20)
    for (const agent of agents) places.get(agent)?.leave()
    for (const agent of agents) void enter(agent)
    await clock.advance(0)
    // Five answers at a limit of five raise it by one.
    expect(entered.length).toBe(26)
  })

  test('does not make one account wait for another', async () => {
    const { clock, entered, places, enter } = governed()
    void enter('one', { account: 'limited' })
    await clock.advance(0)
    places.get('one')?.refused(60_000)
    places.get('one')?.leave()
    void enter('one', { account: 'limited' })
    void enter('other', { account: 'free' })
    await clock.advance(0)
    expect(entered).toEqual(['one', 'other'])
    await clock.advance(60_000)
    expect(entered).toEqual(['one', 'other', 'one'])
  })

  test('forgets a call that no longer waits', async () => {
    const { clock, entered, places, enter } = governed({ callsInFlight: 1 })
    const stop = new AbortController()
    void enter('a')
    const leaving = enter('b', { signal: stop.signal })
    void enter('c')
    stop.abort(new Error('not wanted'))
    await expect(leaving).rejects.toThrow('not wanted')
    await clock.advance(0)
    places.get('a')?.leave()
    await clock.advance(0)
    expect(entered).toEqual(['a', 'c'])
    expect(clock.pending).toBe(0)
  })
})

describe('an adaptive limit', () => {
  const step = fc.oneof(
    fc.constant('enter' as const),
    fc.constant('answer' as const),
    fc.constant('refuse' as const),
    fc.constant('fail' as const),
  )

  test('stays between one and the configured limit, and admitted calls never exceed it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (steps, most) => {
        let account = adaptiveLimit(most)
        let now = 0
        const eras: number[] = []
        for (const what of steps) {
          now += 500
          if (what === 'enter') {
            if (!hasRoom(account, now)) continue
            eras.push(account.era)
            account = entered(account)
            expect(account.inFlight).toBeLessThanOrEqual(account.limit)
          } else {
            const era = eras.shift()
            if (era === undefined) continue
            if (what === 'answer') account = answered(account)
            if (what === 'refuse') account = refused(account, { now, era, retryAfterMs: 0 })
            account = left(account)
          }
          expect(account.limit).toBeGreaterThanOrEqual(1)
          expect(account.limit).toBeLessThanOrEqual(most)
          expect(account.inFlight).toBe(eras.length)
          // It always opens again, within a minute unless the service asks for more.
          expect(account.openAt - now).toBeLessThanOrEqual(60_000)
        }
      }),
    )
  })

  test('pauses an account that refuses single calls twice as long each time, and a minute at most', () => {
    let account = adaptiveLimit(1)
    const pauses: number[] = []
    for (let now = 0; pauses.length < 9; now += 1_000_000) {
      account = entered(account)
      account = refused(account, { now, era: account.era, retryAfterMs: 0 })
      account = left(account)
      pauses.push(account.openAt - now)
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000))
    account = answered(account)
    expect(refused(account, { now: 1e9, era: account.era, retryAfterMs: 0 }).openAt).toBe(1e9 + 1000)
  })

  test('recovers completely after enough answers', () => {
    let account = adaptiveLimit(8)
    for (let call = 0; call < 8; call += 1) account = entered(account)
    for (let call = 0; call < 8; call += 1)
      account = refused(account, { now: 0, era: account.era, retryAfterMs: 0 })
    expect(account.limit).toBe(1)
    let answers = 0
    for (; account.limit < 8 && answers < 1000; answers += 1) account = answered(account)
    expect(account.limit).toBe(8)
    expect(answers).toBeLessThan(50)
  })
})

test('a fair queue serves each owner in turn, however much it has queued', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 40 }), (arrivals) => {
      const queue = new FairQueue<string>()
      for (const who of arrivals) queue.add(who, who)
      const left = new Map<string, number>()
      for (const who of arrivals) left.set(who, (left.get(who) ?? 0) + 1)
      const served: string[] = []
      for (let item = queue.take(() => true); item !== undefined; item = queue.take(() => true)) {
        const waiting = [...left].filter(([, count]) => count > 0).map(([who]) => who)
        // No owner is served again before all others that wait.
        if (waiting.length > 1) expect(served.slice(1 - waiting.length)).not.toContain(item)
        left.set(item, (left.get(item) ?? 0) - 1)
        served.push(item)
      }
      expect([...served].sort()).toEqual([...arrivals].sort())
      expect(queue.isEmpty).toBe(true)
    }),
  )
})

describe('agents under a governor', () => {
  /** A model that accepts this many calls at once, each taking a second. */
  function overloadable(clock: ReturnType<typeof virtualClock>, bears: number) {
    const seen = { inFlight: 0, refused: 0 }
    return {
      seen,
      reply: () => {
        if (seen.inFlight >= bears) {
          seen.refused += 1
          return new OverloadedError()
        }
        seen.inFlight += 1
        clock.after(1_000, () => {
          seen.inFlight -= 1
        })
        return { text: 'fine', delayMs: 999 }
      },
    }
  }

  async function pass(clock: ReturnType<typeof virtualClock>, isOver: () => boolean): Promise<void> {
    for (let second = 0; !isOver() && second < 2_000; second += 1) {
      await clock.advance(250)
    }
  }

  test('of a model that refuses more than 2 calls at once all get their answers, and none fails', async () => {
    const { open, clock } = await world()
    const store = memoryStore()
    const { seen, reply } = overloadable(clock, 2)
    const { orchestrator, runner } = await open({ reply }, { store })
    const ids = Array.from({ length: 10 }, (_, index) => `a${index}`)
    await Promise.all(ids.map((id) => orchestrator.createAgent({ ...ECHO, id, retry: { attempts: 0 } })))
    const answers = Promise.all(ids.map((id) => orchestrator.sendTask(id, 'x')))
    let isOver = false
    answers.then(() => {
      isOver = true
    })
    await pass(clock, () => isOver)
    expect(isOver).toBe(true)
    expect(await answers).toEqual(ids.map(() => 'fine'))
    expect(seen.refused).toBe(runner.calls.length - 10)
    // Eight at first, then the cost of probing for more.
    expect(seen.refused).toBeLessThan(25)
    const facts: string[] = []
    for await (const { type } of store.readAll()) facts.push(type)
    expect(facts).not.toContain('TaskFailed')
    expect(facts.filter((type) => type === 'CallSucceeded').length).toBe(10)
  })

  test('do not lose time while they wait for their turn', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open(
      { reply: () => ({ text: 'fine', delayMs: 4_000 }) },
      { limits: { callsInFlight: 1 }, store: memoryStore() },
    )
    const ids = ['a', 'b', 'c']
    for (const id of ids) await orchestrator.createAgent({ ...ECHO, id, timeoutMs: 5_000 })
    const answers = Promise.all(ids.map((id) => orchestrator.sendTask(id, 'x')))
    let isOver = false
    answers.then(
      () => {
        isOver = true
      },
      () => {
        isOver = true
      },
    )
    await pass(clock, () => isOver)
    expect(await answers).toEqual(['fine', 'fine', 'fine'])
  })

  test('do not lose time between two attempts either', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open(
      {
        reply: ({ agent, attempt }) =>
          agent === 'b'
            ? { text: 'long', delayMs: 60_000 }
            : attempt === 1
              ? new ProcessKilledError()
              : { text: 'fine', delayMs: 20_000 },
      },
      { limits: { callsInFlight: 1 }, store: memoryStore() },
    )
    const a = await orchestrator.createAgent({ ...ECHO, id: 'a', timeoutMs: 30_000 })
    const b = await orchestrator.createAgent({ ...ECHO, id: 'b' })
    const waiting = a.ask('x')
    await until(() => a.status === 'retry')
    const long = b.ask('x')
    await until(() => b.status === 'busy')
    let isOver = false
    Promise.allSettled([waiting, long]).then(() => {
      isOver = true
    })
    await pass(clock, () => isOver)
    expect((await waiting).text).toBe('fine')
  })

  test('a task that is cancelled while it waits for its turn makes no call and blocks no other', async () => {
    const { open, clock } = await world()
    const { orchestrator, runner } = await open(
      { reply: ({ agent }) => ({ text: agent, delayMs: 1_000 }) },
      { limits: { callsInFlight: 1 } },
    )
    const [a, b, c] = await Promise.all(
      ['a', 'b', 'c'].map((id) => orchestrator.createAgent({ ...ECHO, id })),
    )
    const first = a?.ask('x')
    await until(() => a?.status === 'busy')
    const second = b?.ask('x')
    const third = c?.ask('x')
    await until(() => b?.snapshot.context.queue.length === 1 && c?.snapshot.context.queue.length === 1)
    await second?.cancel('not needed')
    await expect(second).rejects.toThrow('not needed')
    await clock.advance(1_000)
    await first
    await until(() => runner.calls.length === 2 && clock.pending >= 2)
    await clock.advance(1_000)
    expect((await third)?.text).toBe('c')
  })
})

describe('a full mailbox', () => {
  test('refuses at once with a hint; queued tasks are durable and get done', async () => {
    const { open, clock } = await world()
    const limits = { mailbox: 4 }
    const first = await open({ reply: () => ({ text: 'x', delayMs: 9e9 }) }, { limits })
    const agent = await first.orchestrator.createAgent(ECHO)
    const asked = ['t1', 't2', 't3', 't4'].map((taskId) => agent.ask(taskId, { taskId }))
    for (const task of asked) task.catch(() => {})
    await until(() => agent.snapshot.context.queue.length === 3 && clock.pending >= 2)
    const before = agent.version
    await expect(agent.ask('one more')).rejects.toMatchObject({
      _tag: 'MailboxFullError',
      retryable: true,
      hint: expect.stringContaining('pool'),
    })
    await expect(agent.ask('one more')).rejects.toBeInstanceOf(MailboxFullError)
    expect(agent.version).toBe(before)
    await first.orchestrator.close()

    const { orchestrator, runner } = await open({}, { limits, resume: 'on-demand' })
    await orchestrator.recover()
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['t1', 't2', 't3', 't4'])
  })

  test('still answers a known task', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open(
      { reply: ({ prompt }) => ({ text: prompt, delayMs: prompt === 'long' ? 60_000 : 0 }) },
      { limits: { mailbox: 2 } },
    )
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('done', { taskId: 't1' })
    const long = agent.ask('long')
    await until(() => agent.status === 'busy')
    const waits = agent.ask('waits', { taskId: 't2' })
    await until(() => agent.snapshot.context.queue.length === 1 && clock.pending >= 2)
    expect((await agent.ask('done', { taskId: 't1' })).text).toBe('done')
    const again = agent.ask('waits', { taskId: 't2' })
    await clock.advance(60_000)
    expect([(await waits).text, (await again).text, (await long).text]).toEqual(['waits', 'waits', 'long'])
  })
})

test.each([
  [{ callsInFlight: 0 }, 'limits.callsInFlight'],
  [{ processStarts: 1.5 }, 'limits.processStarts'],
  [{ mailbox: -1 }, 'limits.mailbox'],
  [{ mailboxes: 1 } as object, 'no limit "mailboxes"'],
])('limits that make no sense are refused before anything is opened: %j', async (limits, problem) => {
  const opening = Orchestrator.open({ baseDir: '/nowhere/at/all', limits })
  await expect(opening).rejects.toBeInstanceOf(InvalidInputError)
  await expect(opening).rejects.toThrow(problem)
})
