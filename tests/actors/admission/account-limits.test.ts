/** Limits of an account that end at a known time, and those that only a person can end. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AgentRef } from '../../../src/actors/agent/ref.ts'
import type { AgentRunner, CallMessage } from '../../../src/claude/runner.ts'
import { BillingError, RateLimitedError } from '../../../src/events/errors/call.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { type ScriptedRunner, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { type VirtualClock, virtualClock } from '../../../src/testing/virtual-clock.ts'

const HOURS = 3_600_000

/** A log in memory that outlives the orchestrators on it: nothing waits for a disk while time is advanced. */
function lasting() {
  const clock = virtualClock()
  const store: EventStore = { ...memoryStore({ clock }), [Symbol.asyncDispose]: async () => {} }
  const open = async (runner: AgentRunner) => {
    // The machine has room for all calls: only what is known of the account keeps them waiting.
    const limits = { callsInFlight: 100, processStarts: 100 }
    const orchestrator = await Orchestrator.open({ store, runner, clock, random: () => 1, limits })
    onTestFinished(() => orchestrator.close())
    return orchestrator
  }
  return { clock, store, open }
}

/** An account that answers when it is told to, and until then refuses every call with the same error. */
function limited(refusal: (clock: VirtualClock) => Error) {
  const { clock, store, open } = lasting()
  const account = { isOpen: false, refusal: refusal(clock), thinksMs: 0 }
  return {
    clock,
    store,
    account,
    /** Opens an orchestrator whose runner tells accounts apart. */
    async open() {
      const scripted = scriptedRunner({
        clock,
        reply: ({ prompt }) =>
          account.isOpen ? { text: `done: ${prompt}`, delayMs: account.thinksMs } : account.refusal,
      })
      const runner: ScriptedRunner = { ...scripted, account: () => 'api.example.com#3f9a' }
      return { runner, orchestrator: await open(runner) }
    },
  }
}

type Limited = ReturnType<typeof limited>
type Opened = Awaited<ReturnType<Limited['open']>>

const asked = (agent: AgentRef, prompt: string) => {
  const outcome = { text: '' }
  agent.ask(prompt).then(
    ({ text }) => Object.assign(outcome, { text }),
    () => {},
  )
  return outcome
}

async function team({ orchestrator }: Opened, size: number, timeoutMs = 60_000) {
  const agents: AgentRef[] = []
  for (let number = 1; number <= size; number += 1)
    agents.push(await orchestrator.createAgent({ id: `a${number}`, systemPrompt: 'x', timeoutMs }))
  return agents
}

/** Everything that can happen without time has happened. */
const settled = async ({ clock }: Pick<Limited, 'clock'>) => {
  for (let rounds = 0; rounds < 20; rounds += 1) await clock.advance(0)
}

const isHeldForAccount = ({ snapshot }: AgentRef) => snapshot.context.queue[0]?.hold?.reason === 'account'

describe('a limit that ends at a known time', () => {
  const session = (lastsMs: number) =>
    limited(
      (clock) =>
        new RateLimitedError({
          window: 'five_hour',
          resetsAt: new Date(clock.now() + lastsMs).toISOString(),
        }),
    )

  test('is waited for once, by all agents of the account: three starts at most, however many agents', async () => {
    const here = session(5 * HOURS)
    const opened = await here.open()
    const agents = await team(opened, 12)
    const outcomes = agents.map((agent) => asked(agent, `by ${agent.id}`))
    await settled(here)
    await here.clock.advance(5 * HOURS - 10_000)
    expect(opened.runner.calls.length).toBeLessThanOrEqual(3)
    const [info] = await opened.orchestrator.accounts.list()
    expect(info).toMatchObject({ account: 'api.example.com#3f9a', status: 'waiting' })
    here.account.isOpen = true
    await here.clock.advance(HOURS)
    await settled(here)
    expect(outcomes.map(({ text }) => text)).toEqual(agents.map(({ id }) => `done: by ${id}`))
    expect(opened.runner.calls.length).toBeLessThanOrEqual(12 + 3)
  })

  test('is waited for across a restart, by tasks that were never sent as well', async () => {
    const here = session(5 * HOURS)
    const first = await here.open()
    const agents = await team(first, 4)
    for (const agent of agents) asked(agent, `by ${agent.id}`)
    await settled(here)
    await first.orchestrator.close()
    await here.clock.advance(HOURS)
    const second = await here.open()
    await here.clock.advance(4 * HOURS - 20_000)
    expect(second.runner.calls).toEqual([])
    here.account.isOpen = true
    await here.clock.advance(HOURS)
    await second.orchestrator.recover()
    expect(second.runner.calls.map(({ prompt }) => prompt).sort()).toEqual(agents.map(({ id }) => `by ${id}`))
  })

  test('ends staggered: a few calls go first, and the others when one is answered', async () => {
    const here = session(HOURS)
    const opened = await here.open()
    const agents = await team(opened, 8)
    for (const agent of agents) asked(agent, `by ${agent.id}`)
    await settled(here)
    const before = opened.runner.calls.length
    // Still refused when it should have ended: only those that go first find out.
    here.account.refusal = new RateLimitedError({ retryAfterMs: 30_000 })
    await here.clock.advance(HOURS + 60_000)
    await settled(here)
    expect(opened.runner.calls.length - before).toBeGreaterThan(0)
    expect(opened.runner.calls.length - before).toBeLessThanOrEqual(2)
    here.account.isOpen = true
    await here.clock.advance(10 * 60_000)
    await settled(here)
    expect(agents.map(({ status }) => status)).toEqual(agents.map(() => 'idle'))
  })

  test('lets no further call begin while the first ones have no answer', async () => {
    const here = session(HOURS)
    const opened = await here.open()
    const agents = await team(opened, 8)
    for (const agent of agents) asked(agent, `by ${agent.id}`)
    await settled(here)
    const before = opened.runner.calls.length
    Object.assign(here.account, { isOpen: true, thinksMs: 4_000 })
    await here.clock.advance(HOURS - 1_000)
    while (opened.runner.calls.length === before) await here.clock.advance(1_000)
    await here.clock.advance(2_000)
    expect(opened.runner.calls.length - before).toBeLessThanOrEqual(2)
    await here.clock.advance(60_000)
    await settled(here)
    expect(agents.map(({ status }) => status)).toEqual(agents.map(() => 'idle'))
  })

  test('of one model keeps only the tasks of that model waiting', async () => {
    const here = limited(
      () => new RateLimitedError({ window: 'seven_day_opus', resetsAt: '2026-01-04T00:00:00.000Z' }),
    )
    const opened = await here.open()
    const [first, second] = await team(opened, 2)
    if (!first || !second) throw new Error('there are two')
    asked(first, 'with opus')
    await settled(here)
    here.account.isOpen = true
    expect((await second.ask('with sonnet')).text).toBe('done: with sonnet')
    expect(first.snapshot.context.current?.dueAt?.slice(0, 10)).toBe('2026-01-04')
  })

  test.each([
    ['is in the past', '2025-12-31T00:00:00.000Z'],
    ['is years away', '2036-01-01T00:00:00.000Z'],
    ['is no instant', 'soon'],
  ])('is not believed if its end %s: the account is tried again with back-off', async (_, resetsAt) => {
    const here = limited(() => new RateLimitedError({ window: 'five_hour', resetsAt }))
    const opened = await here.open()
    const [agent] = await team(opened, 1)
    if (!agent) throw new Error('there is one')
    const outcome = asked(agent, 'x')
    await settled(here)
    expect(agent.status).toBe('retry')
    here.account.isOpen = true
    await here.clock.advance(2_000)
    await settled(here)
    expect(outcome.text).toBe('done: x')
  })

  test('is told to those who wait for the answer', async () => {
    const here = session(5 * HOURS)
    const opened = await here.open()
    const [agent] = await team(opened, 1)
    const heard: CallMessage[] = []
    const task = agent?.ask('x')
    task?.catch(() => {})
    for await (const message of task ?? []) {
      heard.push(message)
      break
    }
    expect(heard).toMatchObject([
      {
        type: 'warning',
        message: expect.stringMatching(
          /The task is kept, and continues at 2026-01-01T05:0.*: claude-agents account resume api\.example\.com#3f9a$/,
        ),
      },
    ])
  })

  test('that was lifted need not be waited for', async () => {
    const here = session(5 * HOURS)
    const opened = await here.open()
    const agents = await team(opened, 3)
    const outcomes = agents.map((agent) => asked(agent, `by ${agent.id}`))
    await settled(here)
    expect(agents.map(({ status }) => status).sort()).toEqual(['idle', 'retry', 'retry'])
    here.account.isOpen = true
    expect(await opened.orchestrator.accounts.resume({ by: 'me' })).toMatchObject([{ status: 'open' }])
    await settled(here)
    expect(outcomes.map(({ text }) => text)).toEqual(agents.map(({ id }) => `done: by ${id}`))
    expect((await opened.orchestrator.accounts.list()).map(({ status }) => status)).toEqual(['open'])
  })
})

describe('an account that is resumed', () => {
  async function refused() {
    const here = lasting()
    let account = 'one'
    const scripted = scriptedRunner({
      clock: here.clock,
      reply: () =>
        new RateLimitedError(
          account === 'one'
            ? { window: 'seven_day_opus', resetsAt: '2026-01-04T00:00:00.000Z' }
            : { window: 'five_hour', resetsAt: '2026-01-01T05:00:00.000Z' },
        ),
    })
    const orchestrator = await here.open({ ...scripted, account: () => account })
    const [first, second] = await team({ runner: scripted, orchestrator }, 2)
    if (!first || !second) throw new Error('there are two')
    asked(first, 'by one')
    await settled(here)
    account = 'two'
    asked(second, 'by two')
    await settled(here)
    const prompts = () => scripted.calls.map(({ prompt }) => prompt)
    expect(prompts()).toEqual(['by one', 'by two'])
    const logIn = (name: string) => {
      account = name
    }
    return { here, orchestrator, prompts, logIn }
  }

  test('wakes its own tasks, and none of another account', async () => {
    const { here, orchestrator, prompts } = await refused()
    expect(await orchestrator.accounts.resume({ account: 'two' })).toMatchObject([{ account: 'two' }])
    await settled(here)
    expect(prompts()).toEqual(['by one', 'by two', 'by two'])
  })

  test('wakes the tasks that a limit of one model keeps waiting, if it is named', async () => {
    const { here, orchestrator, prompts, logIn } = await refused()
    await orchestrator.accounts.resume()
    await settled(here)
    expect(prompts()).toEqual(['by one', 'by two', 'by two'])
    logIn('one')
    await orchestrator.accounts.resume({ account: 'one' })
    await settled(here)
    expect(prompts()).toEqual(['by one', 'by two', 'by two', 'by one'])
  })

  test('wakes nothing if its name is not known', async () => {
    const { here, orchestrator, prompts } = await refused()
    expect(await orchestrator.accounts.resume({ account: 'three' })).toEqual([])
    await settled(here)
    expect(prompts()).toHaveLength(2)
  })
})

describe('an account that cannot pay', () => {
  const unpaid = () => limited(() => new BillingError({ said: "You're out of usage credits" }))

  test('holds its tasks: it is not tried again, and no agent is in error', async () => {
    const here = unpaid()
    const opened = await here.open()
    const agents = await team(opened, 6)
    for (const agent of agents) asked(agent, `by ${agent.id}`)
    await settled(here)
    expect(agents.every(isHeldForAccount)).toBe(true)
    await here.clock.advance(24 * HOURS)
    expect(opened.runner.calls.length).toBeLessThanOrEqual(2)
    expect(agents.map(({ status }) => status)).toEqual(agents.map(() => 'idle'))
    expect(await opened.orchestrator.held.list()).toMatchObject(
      agents.map(({ id }) => ({
        ...{ agent: id, reason: 'account' },
        message: expect.stringContaining("You're out of usage credits"),
        hint: expect.stringContaining('claude-agents account resume'),
      })),
    )
    expect(await opened.orchestrator.accounts.list()).toMatchObject([{ status: 'held' }])
  })

  test('is tried again when a person says so, and not before, even after a restart', async () => {
    const here = unpaid()
    const first = await here.open()
    for (const agent of await team(first, 3)) asked(agent, `by ${agent.id}`)
    await settled(here)
    await first.orchestrator.close()
    const second = await here.open()
    await settled(here)
    const late = await second.orchestrator.createAgent({ id: 'late', systemPrompt: 'x' })
    const outcome = asked(late, 'late')
    await settled(here)
    expect(isHeldForAccount(late)).toBe(true)
    expect(second.runner.calls).toEqual([])
    here.account.isOpen = true
    await second.orchestrator.accounts.resume()
    await settled(here)
    expect(outcome.text).toBe('done: late')
    await second.orchestrator.recover()
    expect(second.runner.calls.length).toBe(4)
    expect(await second.orchestrator.held.list()).toEqual([])
  })

  test('costs a task neither a retry nor time', async () => {
    const here = unpaid()
    const opened = await here.open()
    const [agent] = await team(opened, 1, 1_000)
    if (!agent) throw new Error('there is one')
    const outcome = asked(agent, 'x')
    await settled(here)
    expect(agent.snapshot.context.queue[0]).toMatchObject({ attempt: 1, excused: 1 })
    await here.clock.advance(48 * HOURS)
    here.account.isOpen = true
    await opened.orchestrator.accounts.resume()
    await settled(here)
    expect(outcome.text).toBe('done: x')
  })

  test('keeps a run waiting, which ends when the account is resumed', async () => {
    const here = unpaid()
    const opened = await here.open()
    await team(opened, 2)
    const run = opened.orchestrator.sequential(['a1', 'a2'], 'go')
    const agent = await opened.orchestrator.agent('a1')
    await settled(here)
    expect(isHeldForAccount(agent)).toBe(true)
    here.account.isOpen = true
    await opened.orchestrator.accounts.resume()
    expect(await run).toMatchObject({ success: true, errors: [] })
  })
})

describe('an account whose facts cannot be kept', () => {
  test.each([
    ['of a limit', new RateLimitedError({ window: 'five_hour', resetsAt: '2026-01-01T01:00:00.000Z' })],
    ['of a payment', new BillingError({ said: 'no credit' })],
  ])('ends no task: what a call says %s counts in this process', async (_, refusal) => {
    const here = limited(() => refusal)
    const append = here.store.append
    here.store.append = async (stream, ...rest) => {
      if (stream.startsWith('account/')) throw new Error('the store is broken')
      return append(stream, ...rest)
    }
    const opened = await here.open()
    const [first, second] = await team(opened, 2)
    if (!first || !second) throw new Error('there are two')
    const outcomes = [asked(first, 'one')]
    await settled(here)
    outcomes.push(asked(second, 'two'))
    await settled(here)
    expect(first.status).not.toBe('error')
    expect(opened.runner.calls).toHaveLength(1)
  })

  test('does not keep an orchestrator from opening, or a call from being made', async () => {
    const here = limited(() => new BillingError({ said: 'no credit' }))
    const first = await here.open()
    for (const agent of await team(first, 1)) asked(agent, 'x')
    await settled(here)
    await first.orchestrator.close()
    const read = here.store.read
    here.store.read = (stream, range) => {
      if (stream.startsWith('account/')) throw new Error('the stream is broken')
      return read(stream, range)
    }
    here.account.isOpen = true
    const second = await here.open()
    const late = await second.orchestrator.createAgent({ id: 'late', systemPrompt: 'x' })
    expect((await late.ask('y')).text).toBe('done: y')
  })
})

describe('what the service says about its windows', () => {
  const five = { name: 'five_hour', status: 'allowed', utilization: 0.2, resetsAt: Date.UTC(2026, 0, 1, 5) }

  test('is kept as it was last told, across a restart, and written only when it is news', async () => {
    const here = lasting()
    let used = 0
    const scripted = scriptedRunner({ clock: here.clock })
    const runner: ScriptedRunner = {
      ...scripted,
      account: () => 'acme',
      async *start(call, options) {
        yield { type: 'account', windows: [{ ...five, utilization: used }] }
        yield* scripted.start(call, options)
      },
    }
    const orchestrator = await here.open(runner)
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
    const heard: string[] = []
    for (used = 0.1; used < 0.3; used += 0.01) {
      const task = agent.ask('x')
      for await (const { type } of task) heard.push(type)
    }
    await orchestrator.close()
    expect(await here.store.head('account/acme')).toBeLessThanOrEqual(5)
    expect(heard).not.toContain('account')
    const again = await here.open(scripted)
    const [info] = await again.accounts.list()
    expect(info).toMatchObject({
      ...{ account: 'acme', status: 'open', waitsUntil: null },
      windows: [{ name: 'five_hour', status: 'allowed', resetsAt: '2026-01-01T05:00:00.000Z' }],
    })
    expect(info?.windows[0]?.utilization).toBeGreaterThan(0.2)
  })

  test.each<[string, unknown]>([
    ['no list', undefined],
    ['nothing', null],
    ['a reset at no time', [{ ...five, resetsAt: Number.NaN }]],
    ['a reset before the first instant', [{ ...five, resetsAt: -1e300 }]],
    ['a reset that is missing', [{ name: 'five_hour', status: 'allowed', utilization: null }]],
    ['a use without end', [{ ...five, utilization: Number.POSITIVE_INFINITY }]],
    ['a window without a name', [null, { status: 'allowed' }]],
  ])('never ends a call, whatever a custom runner says: %s', async (_, windows) => {
    const here = lasting()
    const scripted = scriptedRunner({ clock: here.clock })
    const runner: ScriptedRunner = {
      ...scripted,
      account: () => 'acme',
      async *start(call, options) {
        yield { type: 'account', windows } as CallMessage
        yield* scripted.start(call, options)
      },
    }
    const orchestrator = await here.open(runner)
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x', retry: { attempts: 0 } })
    expect((await agent.ask('x')).text).toBe('echo: x')
  })

  test('fills neither the log nor the state, however much it says', async () => {
    const here = lasting()
    const scripted = scriptedRunner({ clock: here.clock })
    const runner: ScriptedRunner = {
      ...scripted,
      account: () => 'acme',
      async *start(call, options) {
        for (let line = 0; line < 500; line += 1) {
          const status = line % 2 === 0 ? 'allowed' : 'rejected'
          yield {
            type: 'account',
            windows: [
              { ...five, status },
              { ...five, name: `window ${line}` },
            ],
          }
        }
        yield* scripted.start(call, options)
      },
    }
    const orchestrator = await here.open(runner)
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
    await agent.ask('x')
    await here.clock.advance(60_000)
    await agent.ask('x')
    await orchestrator.close()
    expect(await here.store.head('account/acme')).toBeLessThanOrEqual(4)
    const again = await here.open(scripted)
    const [info] = await again.accounts.list()
    expect(info?.windows).toHaveLength(20)
    expect(info?.windows).toContainEqual({
      ...five,
      status: 'rejected',
      resetsAt: '2026-01-01T05:00:00.000Z',
    })
    expect(info?.windows.map(({ name }) => name)).toContain('window 499')
  })
})
