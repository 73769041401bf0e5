/** What `decide` returns, checked by the compiler and when it runs. */
import * as Schema from 'effect/Schema'
import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { defineActor } from '../../../src/actors/own/definition.ts'
import type { FactsOf } from '../../../src/events/own-facts.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'

const facts = { Added: Schema.Struct({ by: Schema.Int }) }
const machine = setup({
  types: {} as { context: { sum: number }; events: FactsOf<typeof facts> },
}).createMachine({
  context: { sum: 0 },
  on: { Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } },
})
const parts = { kind: 'counter', facts, machine }
const fact = { type: 'Added', data: { by: 1 } } as const

const WRONG: Readonly<Record<string, readonly [decide: () => unknown, problem: RegExp]>> = {
  'a promise of facts': [() => Promise.resolve([fact]), /asynchronous: it returned a promise/],
  'a promise that rejects': [() => Promise.reject(new Error('no')), /asynchronous: it returned a promise/],
  'one fact without a list': [() => fact, /the fact Added by itself, not in a list/],
  nothing: [() => undefined, /returned nothing/],
  null: [() => null, /returned nothing/],
  'the type of a fact': [() => 'Added', /returned a string/],
  'a number': [() => 1, /returned a number/],
  'an object with neither': [() => ({ by: 1 }), /neither facts nor a reply/],
  'one fact as facts': [() => ({ facts: fact, reply: 1 }), /facts that are not a list/],
  'a list with a hole': [() => [fact, undefined], /element 1 of the facts that it returned is not a fact/],
  'a list of types': [() => ({ facts: ['Added'] }), /element 0 of the facts that it returned is not a fact/],
}

test.each(Object.keys(WRONG))(
  'a decide that returns %s fails with a clear error, and writes nothing',
  async (name) => {
    const [decide, problem] = WRONG[name] ?? []
    const store = memoryStore()
    await using orchestrator = await Orchestrator.open({ store, runner: scriptedRunner() })
    const kind = defineActor({
      ...parts,
      decide: (command: 'right' | 'wrong') => (command === 'right' ? [fact] : (decide?.() as [])),
    })
    const ref = await orchestrator.spawn(kind, 'sum')
    const told = await ref.tell('wrong').catch((error) => error)
    expect(told).toMatchObject({
      _tag: 'InvalidDecisionError',
      message: expect.stringMatching(problem ?? /./),
    })
    expect(told.message).toContain('"counter"')
    expect(told.message).toContain('Nothing was written')
    await ref.tell('right')
    expect(ref.snapshot.context.sum).toBe(1)
    expect(await store.head('counter/sum')).toBe(1)
  },
)

test('the compiler refuses them as well', () => {
  // @ts-expect-error: asynchronous
  defineActor({ ...parts, decide: async (_: number) => [fact] })
  // @ts-expect-error: asynchronous, with a reply
  defineActor({ ...parts, decide: async (_: number) => ({ facts: [fact], reply: 1 }) })
  // @ts-expect-error: one fact without a list
  defineActor({ ...parts, decide: (_: number) => fact })
  // @ts-expect-error: nothing
  defineActor({ ...parts, decide: (_: number) => {} })
  // @ts-expect-error: one fact as facts
  defineActor({ ...parts, decide: (_: number) => ({ facts: fact, reply: 1 }) })
  defineActor({ ...parts, decide: (_: number) => [fact] })
  defineActor({ ...parts, decide: (_: number) => ({ facts: [fact], reply: 1 }) })
  defineActor({ ...parts, decide: (_: number) => ({ reply: 1 }) })
})

test('effects that are not a list crash the actor with a clear error', async () => {
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner: scriptedRunner() })
  const kind = defineActor({ ...parts, decide: (_: number) => [fact], effects: () => ({}) as [] })
  const ref = await orchestrator.spawn(kind, 'sum')
  for await (const { reason, error } of ref.watch())
    expect([reason, error?.message]).toEqual(['crashed', expect.stringMatching(/kind "counter".*not a list/)])
})
