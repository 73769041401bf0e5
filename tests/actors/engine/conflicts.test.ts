/** An actor whose stream something else has written to, or claimed, is lost: it ends, and its next use folds afresh. */
import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { agentKind } from '../../../src/actors/agent/machine.ts'
import { foldAt } from '../../../src/actors/engine/fold-at.ts'
import { Life } from '../../../src/actors/engine/life.ts'
import { defineActor } from '../../../src/actors/own/definition.ts'
import type { NewFact } from '../../../src/events/envelope.ts'
import { Fenced } from '../../../src/events/errors/store.ts'
import type { FactsOf } from '../../../src/events/own-facts.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../../src/orchestrator-options.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { scheduleKind } from '../../../src/schedules/machine.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { unhurried } from '../../unhurried.ts'
import { until } from '../world.ts'

/** A store that other writers share: a stream that one of them has claimed is fenced until it is read anew. */
function sharedStore(inner: EventStore = memoryStore()) {
  const claimed = new Set<string>()
  const store: EventStore = {
    ...inner,
    async append(stream, ...given) {
      if (claimed.has(stream)) throw new Fenced({ stream })
      return inner.append(stream, ...given)
    },
    read(stream, options) {
      if (options?.after === undefined) claimed.delete(stream)
      return inner.read(stream, options)
    },
  }
  return { store, inner, claim: (stream: string) => claimed.add(stream) }
}

const A = { id: 'a', systemPrompt: 'You are an agent.' }

const open = (store: EventStore, options: OrchestratorOptions = {}) =>
  Orchestrator.open({ store, runner: scriptedRunner(), clock: virtualClock(), ...options })

const tagOf = async (work: PromiseLike<unknown>) => {
  try {
    await work
    return 'done'
  } catch (error) {
    return (error as { _tag?: string })._tag
  }
}

const facts = { Added: Schema.Struct({ by: Schema.Int }) }
const machine = setup({
  types: {} as { context: { sum: number }; events: FactsOf<typeof facts> },
}).createMachine({
  context: { sum: 0 },
  on: { Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } },
})
const decide = (command: { add: number }, { context }: { context: { sum: number } }) => ({
  facts: [{ type: 'Added' as const, data: { by: command.add } }],
  reply: context.sum + command.add,
})
const counter = defineActor({ kind: 'counter', facts, machine, decide })
const added = (by: number): NewFact => ({ type: 'Added', v: 1, data: { by } })

describe('An actor whose stream another writer has claimed fails once, and its next use folds afresh', () => {
  test('an agent', async () => {
    const { store, inner, claim } = sharedStore()
    await using orchestrator = await open(store)
    const agent = await orchestrator.createAgent(A)
    const config = { ...agent.snapshot.context.config, systemPrompt: 'theirs' }
    await inner.append('agent/a', [{ type: 'AgentConfigured', v: 1, data: { config } }])
    claim('agent/a')
    expect(await tagOf(agent.ask('one'))).toBe('Fenced')
    expect(await Promise.all([agent.ask('two'), agent.ask('three')])).toMatchObject([
      { text: 'echo: two' },
      { text: 'echo: three' },
    ])
    expect(agent.snapshot.context.config?.systemPrompt).toBe('theirs')
  })

  test('an actor of your own', async () => {
    const { store, inner, claim } = sharedStore()
    await using orchestrator = await open(store)
    const ref = await orchestrator.spawn(counter, 'sum')
    await ref.tell({ add: 1 })
    await inner.append('counter/sum', [added(10)])
    claim('counter/sum')
    expect(await tagOf(ref.ask({ add: 1 }))).toBe('Fenced')
    expect(await ref.ask({ add: 1 })).toBe(12)
    expect(ref.isAlive).toBe(true)
  })

  test('a budget', async () => {
    const { store, claim } = sharedStore()
    await using orchestrator = await open(store, { callMinimum: { usd: 0.1, tokens: 1 } })
    const agent = await orchestrator.createAgent({ ...A, budget: { usd: 5 } })
    claim('agent-budget/a')
    expect(await tagOf(agent.setBudget({ usd: 6 }))).toBe('Fenced')
    expect(await agent.setBudget({ usd: 7 })).toMatchObject({ limit: { usd: 7 } })
    claim('agent-budget/a')
    // Its reservation cannot be written, so its task is broken; the next one finds room.
    expect(await tagOf(agent.ask('one'))).not.toBe('done')
    await agent.reset()
    expect((await agent.ask('two')).text).toBe('echo: two')
  })

  test('an account', async () => {
    const { store, inner, claim } = sharedStore()
    const said = { type: 'AccountHeld', v: 1, data: { account: 'mine', said: 'no credit' } }
    await inner.append('account/mine', [said], {
      summary: {
        status: 'known',
        open: false,
        info: { account: 'mine', windows: [], pauses: [], said: 'no credit' },
      },
    })
    await using orchestrator = await open(store)
    claim('account/mine')
    expect(await tagOf(orchestrator.accounts.resume())).toBe('Fenced')
    expect(await orchestrator.accounts.resume()).toMatchObject([{ account: 'mine', status: 'open' }])
  })

  test('a run: it ends here, and continues where it is run again', async () => {
    const { store, claim } = sharedStore()
    const runner = scriptedRunner()
    await using orchestrator = await open(store, { runner })
    for (const id of ['a', 'b']) await orchestrator.createAgent({ ...A, id })
    const pattern = sequential(['a', 'b'])
    const run = orchestrator.run(pattern, 'go', { id: 'r' })
    run.subscribe(({ agent, state }) => {
      if (agent === 'a' && state === 'succeeded') claim('run/r')
    })
    expect(await tagOf(run)).toBe('Fenced')
    const { metadata } = await orchestrator.run(pattern, 'go', { id: 'r' })
    expect(metadata.finalOutput).toContain('echo')
    expect(runner.calls.filter(({ agent }) => agent === 'a')).toHaveLength(1)
  })

  test('a supervisor', async () => {
    const { store, claim } = sharedStore()
    await using orchestrator = await open(store)
    await orchestrator.createAgent(A)
    await orchestrator.createAgent({ ...A, id: 'b' })
    const top = await orchestrator.supervise({ id: 'top', children: [{ agent: 'a' }] })
    claim('supervisor/top')
    expect(await tagOf(top.startChild({ agent: 'b' }))).toBe('Fenced')
    expect(await top.startChild({ agent: 'b' })).toMatchObject({ id: 'b', status: 'running' })
  })
})

describe('The effects of a lost actor', () => {
  const effects: { readonly resumed: boolean; readonly signal: AbortSignal; late?: Promise<unknown> }[] = []
  const worker = defineActor({
    kind: 'worker',
    facts,
    machine,
    decide,
    effects: () => [
      {
        key: 'work',
        run: async ({ signal, resumed, self }) => {
          const run: (typeof effects)[number] = { resumed, signal }
          effects.push(run)
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
          run.late = tagOf(self.tell({ add: 100 }))
        },
      },
    ],
  })

  test.each(['VersionConflict', 'Fenced'])(
    'end at once after a %s; what they still decide is refused',
    async (tag) => {
      effects.length = 0
      const { store, inner, claim } = sharedStore()
      await using orchestrator = await open(store)
      const ref = await orchestrator.spawn(worker, 'w')
      await ref.tell({ add: 1 })
      expect(effects).toMatchObject([{ resumed: true }])
      await inner.append('worker/w', [added(10)])
      if (tag === 'Fenced') claim('worker/w')
      await tagOf(ref.tell({ add: 1 }))
      expect(effects[0]?.signal.aborted).toBe(true)
      await until(() => effects[0]?.late !== undefined)
      expect(await effects[0]?.late).toBe(tag)
      // Another writer's claim stands until the actor is used again.
      if (tag === 'Fenced') expect(effects).toHaveLength(1)
      await ref.tell({ add: 1 })
      await until(() => effects.length === 2)
      expect(effects[1]).toMatchObject({ resumed: true, signal: { aborted: false } })
      expect(ref.snapshot.context.sum).toBe(tag === 'Fenced' ? 12 : 13)
    },
  )

  test('are recovered by the next one, not begun: a call of another process is not made again', async () => {
    const inner = memoryStore()
    const runner = scriptedRunner({
      recover: () => ({ outcome: 'answered', result: { ...nothing, text: 'theirs' } }),
    })
    await using orchestrator = await open(inner, { runner })
    const agent = await orchestrator.createAgent(A)
    await inner.append('agent/a', await theirCall(inner))
    expect((await agent.ask('ours')).text).toBe('echo: ours')
    expect((await agent.reply('theirs')).text).toBe('theirs')
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['ours'])
  })
})

const nothing = {
  costUsd: 0,
  usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 },
  durationMs: 0,
  turns: 1,
  model: null,
  permissionDenials: [],
}

/** The facts of a task that another process has accepted and begun. */
async function theirCall(store: EventStore): Promise<NewFact[]> {
  const other = memoryStore()
  const clock = virtualClock()
  const runner = scriptedRunner({ clock, reply: () => ({ text: '', delayMs: 1000 }) })
  await using orchestrator = await open(other, { clock, runner })
  const agent = await orchestrator.createAgent(A)
  agent.ask('theirs', { taskId: 'theirs' }).catch(() => {})
  await until(() => runner.calls.length > 0)
  const begun: NewFact[] = []
  for await (const { type, v, data } of other.read('agent/a', { after: await store.head('agent/a') }))
    begun.push({ type, v, data })
  return begun
}

describe('Foreign facts at any position', () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('ask' as const), turns: fc.nat(9) }),
    fc.record({ what: fc.constant('configure' as const), turns: fc.nat(9) }),
    fc.record({ what: fc.constant('ask again' as const), turns: fc.nat(9) }),
    fc.record({ what: fc.constant('claim' as const), turns: fc.nat(9) }),
  )

  test('leave a living agent in the state of its replay, and every task answered once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(6), { minLength: 1, maxLength: 9 }),
        async (script, turns) => {
          const { store, inner, claim } = sharedStore()
          await using orchestrator = await open(unhurried(store, turns))
          const agent = await orchestrator.createAgent(A)
          const asked: string[] = []
          const asks: PromiseLike<unknown>[] = []
          for (const [index, { what, turns }] of script.entries()) {
            const taskId = `task-${index}`
            if (what === 'ask') {
              asked.push(taskId)
              asks.push(tagOf(agent.ask(taskId, { taskId })))
            }
            const config = { ...agent.snapshot.context.config, systemPrompt: taskId }
            if (what === 'configure')
              await inner.append('agent/a', [{ type: 'AgentConfigured', v: 1, data: { config } }])
            const last = asked.at(-1)
            if (what === 'ask again' && last) asks.push(tagOf(agent.ask(last, { taskId: last })))
            if (what === 'claim') claim('agent/a')
            for (let turn = 0; turn < turns; turn++) await null
          }
          await Promise.all(asks)
          const replies = await Promise.all(
            asked.map(async (taskId) => {
              // One that was lost is asked again, as it has the same id.
              for (;;) {
                const reply = await tagOf(agent.ask(taskId, { taskId }))
                if (reply !== 'Fenced') return reply
              }
            }),
          )
          expect(replies).toEqual(asked.map(() => 'done'))
          await agent.settled()
          // A claim or a fact after the last task may not be known yet.
          if ((await tagOf(agent.reset())) === 'Fenced') await agent.reset()
          const { version, state } = await foldAt(agentKind, inner, 'agent/a')
          expect(agent.version).toBe(version)
          expect({ value: agent.snapshot.value, context: agent.snapshot.context }).toEqual(state)
          const ends: string[] = []
          for await (const { type, data } of inner.read('agent/a'))
            if (type === 'CallSucceeded') ends.push(String(data.taskId))
          expect(ends.toSorted()).toEqual(asked.toSorted())
        },
      ),
      { numRuns: 100 },
    )
  })

  test('and a task that another writer has accepted meanwhile: the facts before it are folded first', async () => {
    const inner = memoryStore()
    await using orchestrator = await open(inner)
    const agent = await orchestrator.createAgent(A)
    {
      await using other = await open({ ...inner, [Symbol.asyncDispose]: async () => {} })
      await other.declareAgent({ id: 'a', systemPrompt: 'theirs' })
      const there = await other.agent('a')
      there.ask('x', { taskId: 'x', approval: true }).catch(() => {})
      await until(() => there.version === 4)
    }
    const asked = agent.ask('x', { taskId: 'x', approval: true })
    await until(() => agent.version === 4)
    await orchestrator.held.approve('x')
    expect((await asked).text).toBe('echo: x')
    const { state } = await foldAt(agentKind, inner, 'agent/a')
    expect(agent.snapshot.context).toEqual(state.context)
    expect(agent.snapshot.context.config?.systemPrompt).toBe('theirs')
  })
})

test.each([
  ['the only process of a log is warned', false, 'warn'],
  ['one of several is not, because it is expected there', true, 'info'],
] as const)('When another writer takes over: %s', async (_, isShared, level) => {
  const store = memoryStore()
  const said: string[] = []
  const say = (as: string) => (_: object, message: string) => void said.push(`${as}: ${message}`)
  const logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  const life = await Life.load(scheduleKind, 's', { store, clock: virtualClock(), logger, isShared })
  life.start(() => async () => {})
  await store.append('schedule/s', [{ type: 'SchedulePaused', v: 1, data: {} }])
  expect(await life.refresh()).toBe(true)
  expect(said).toEqual([`${level}: something else has written to this stream`])
  await life.close()
})
