/** Budgets that are set while calls run and end, and calls that are cut off: each call is counted once, and settled. */

import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BudgetScope } from '../../../src/actors/admission/budget-scope.ts'
import { crashedBy, Ending, KILLED, type Supervised } from '../../../src/actors/engine/exit.ts'
import type { AgentRunner } from '../../../src/claude/runner.ts'
import type { NewFact } from '../../../src/events/envelope.ts'
import { CallCancelledError } from '../../../src/events/errors/call.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { repetitions } from '../../repetitions.ts'
import { unhurried } from '../../unhurried.ts'

const RUNS = repetitions('SETTLEMENT_RUNS', { short: 50, long: 3000 })
const SEED = Number(process.env.SETTLEMENT_SEED ?? 20_261_129)
const AGENTS = ['a', 'b'] as const

const scope: fc.Arbitrary<BudgetScope> = fc.constantFrom({}, { agent: 'a' }, { agent: 'b' }, { run: 'r' })

interface AnswerCost {
  readonly agent: string
  readonly taskId: string
  readonly usd: number
}

/** The costs that count against a budget. */
const costsOf = (answers: readonly AnswerCost[], { agent, run }: BudgetScope): number =>
  answers
    .filter((answer) => agent === undefined || answer.agent === agent)
    .filter(({ taskId }) => run === undefined || taskId.startsWith(`${run}.`))
    .reduce((sum, { usd }) => sum + usd, 0)

/** A store that knows what calls have cost, now and when a budget was last set. */
function counting(store: EventStore) {
  const answers: AnswerCost[] = []
  const costs = (scope: BudgetScope) => costsOf(answers, scope)
  const count = (stream: string, facts: readonly NewFact[]) => {
    for (const { type, data } of facts) {
      if (type === 'CallSucceeded')
        answers.push({
          agent: stream.slice('agent/'.length),
          taskId: String(data.taskId),
          usd: Number(data.costUsd),
        })
      if (type !== 'BudgetSet') continue
      const before = [...answers]
      counted.costsWhenSet = (of) => costsOf(before, of)
    }
  }
  const counted = {
    costs,
    costsWhenSet: costs,
    store: {
      ...store,
      async append(...[stream, facts, options]) {
        const recorded = await store.append(stream, facts, options)
        count(stream, facts)
        return recorded
      },
      async appendAll(appends) {
        const recorded = await store.appendAll(appends)
        for (const { stream, facts } of appends) count(stream, facts)
        return recorded
      },
    } satisfies EventStore,
  }
  return counted
}

async function quiet() {
  for (let round = 0; round < 20; round++) await setImmediate()
}

test('a budget that is set at any moment counts each call once, also those that end meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ scope, turns: fc.nat(60), limited: fc.boolean() }), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.array(fc.nat(12), { minLength: 1, maxLength: 20 }),
      async (settings, turns) => {
        const clock = virtualClock()
        const counted = counting(memoryStore())
        const { store } = counted
        await using orchestrator = await Orchestrator.open({
          store: unhurried(store, turns),
          runner: scriptedRunner({ clock, reply: ({ prompt }) => ({ text: prompt, costUsd: 5 }) }),
          clock,
          agents: AGENTS.map((id) => ({ id, systemPrompt: 'You work.' })),
        })
        const run = orchestrator.run(parallel([sequential(['a', 'b']), 'b']), 'work', { id: 'r' })
        const asks = await Promise.all(
          AGENTS.map(async (id) => (await orchestrator.agent(id)).ask('work', { taskId: `own-${id}` })),
        )
        const known = new Set<string>()
        for (const { scope, turns, limited } of settings) {
          for (let turn = 0; turn < turns; turn++) await null
          if (scope.run !== undefined && (await store.head('run/r')) === 0) continue
          const limit = limited ? 1000 : null
          const { remaining } = await orchestrator.budgets.set({ usd: limit }, scope)
          known.add(JSON.stringify(scope))
          if (limit === null) continue
          const costs = counted.costsWhenSet(scope)
          assert((remaining.usd ?? 0) <= limit - costs, `${remaining.usd} of ${limit} after ${costs}`)
        }
        await run
        await Promise.all(asks)
        await quiet()
        for (const one of known) {
          const scope = JSON.parse(one) as BudgetScope
          const { limit, spent, reserved } = await orchestrator.budgets.show(scope)
          if (limit.usd === null) continue
          assert.deepEqual(
            { spent: spent.usd, reserved },
            {
              spent: counted.costs(scope),
              reserved: { usd: 0, tokens: 0 },
            },
          )
        }
      },
    ),
    { numRuns: RUNS, seed: SEED },
  )
})

/** What the settled calls have cost, in dollars. */
async function settledIn(store: EventStore): Promise<number[]> {
  const settled: number[] = []
  for await (const { type, data } of store.readAll())
    if (type === 'BudgetSettled') settled.push(Number(data.usd))
  return settled
}

test.each(['brutal', 5000] as const)(
  'a call that a restart of its agent cuts off is settled when it has ended (shutdown: %s)',
  async (shutdown) => {
    const clock = virtualClock()
    const reply = () => ({ text: 'done', costUsd: 5, delayMs: 1000 })
    const store = memoryStore()
    const orchestrator = await Orchestrator.open({
      store,
      runner: scriptedRunner({ clock, reply }),
      clock,
      agents: [{ id: 'a', systemPrompt: 'You work.', budget: { usd: 100 } }],
    })
    let sibling = new Ending()
    const start = (): Supervised => {
      sibling = new Ending()
      const ended = sibling
      const end = async () => ended.end(KILLED)
      return { watch: (listener) => ended.watch(listener), stop: end, kill: end }
    }
    await orchestrator.supervise({
      id: 'team',
      strategy: 'one-for-all',
      children: [
        { id: 'sibling', start },
        { agent: 'a', shutdown },
      ],
    })
    const agent = await orchestrator.agent('a')
    const asked = agent.ask('work')
    await clock.advance(500)
    sibling.end(crashedBy(new Error('boom')))
    await quiet()
    await clock.advance(60_000)
    expect((await asked).text).toBe('done')
    await quiet()
    expect(await settledIn(store)).toEqual([5])
    await orchestrator.close()
  },
)

test('a call of an earlier process that still runs is settled when it has ended, although its task was cancelled', async () => {
  const clock = virtualClock()
  const store = { ...memoryStore(), [Symbol.asyncDispose]: async () => {} }
  let isEnding = false
  let starts = 0
  const usage = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 0 }
  const runner: AgentRunner = {
    async *start(_call, { signal }) {
      starts += 1
      while (!(signal.aborted && isEnding)) await setImmediate()
      yield { type: 'spent', costUsd: 2, usage }
      throw new CallCancelledError()
    },
    recover: async () => ({ outcome: 'unsent' }),
  }
  const open = () => Orchestrator.open({ store, runner, clock, random: () => 1 })

  const first = await open()
  await first.budgets.set({ usd: 10 })
  const agent = await first.createAgent({ id: 'a', systemPrompt: 'x' })
  agent.ask('work', { taskId: 't' }).catch(() => {})
  while (starts < 1) await setImmediate()
  isEnding = true
  await first.close()
  isEnding = false

  const second = await open()
  while (starts < 2) await setImmediate()
  await (await second.agent('a')).cancel('t', 'not needed')
  // Here the budget is read for the first time.
  await second.budgets.show()
  isEnding = true
  await second.recover()
  await (await second.agent('a')).settled()
  await quiet()
  expect(await second.budgets.show()).toMatchObject({ spent: { usd: 2 }, reserved: { usd: 0 } })
  await second.close()
})
