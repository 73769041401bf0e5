/** Facts that something else appends to a living actor's stream: it folds them and goes on from the new state. */
import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { foldStream } from '../../../src/actors/engine/history.ts'
import { defineActor } from '../../../src/actors/own/definition.ts'
import { StoreReadOnly } from '../../../src/events/errors/store.ts'
import type { FactsOf } from '../../../src/events/own-facts.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { unhurried } from '../../unhurried.ts'

const facts = { Added: Schema.Struct({ by: Schema.Int }) }
const counter = defineActor({
  kind: 'counter',
  facts,
  machine: setup({
    types: {} as { context: { sum: number }; events: FactsOf<typeof facts> },
  }).createMachine({
    context: { sum: 0 },
    on: {
      Added: {
        actions: assign({
          sum({ context, event }) {
            if (event.data.by === 13) throw new RangeError('thirteen')
            return context.sum + event.data.by
          },
        }),
      },
    },
  }),
  decide: (command: { add: number }, { context }) => ({
    facts: [{ type: 'Added', data: { by: command.add } }],
    reply: context.sum + command.add,
  }),
})
const added = (by: number, type = 'Added') => ({ type, v: 1, data: { by } })

const open = (store: EventStore) => Orchestrator.open({ store, runner: scriptedRunner(), actors: [counter] })

describe('a foreign fact in the stream of a living actor', () => {
  test('is folded before its next decision', async () => {
    const store = memoryStore()
    await using orchestrator = await open(store)
    const ref = await orchestrator.spawn(counter, 'sum')
    const seen: number[] = []
    ref.subscribe(({ context }) => seen.push(context.sum))
    expect(await ref.ask({ add: 1 })).toBe(1)
    await store.append('counter/sum', [added(10)])
    expect(await Promise.all([ref.ask({ add: 2 }), ref.ask({ add: 3 })])).toEqual([13, 16])
    expect(seen).toEqual([1, 11, 13, 16])
  })

  test('whenever it comes: no decision is lost or taken on an old state', async () => {
    const step = fc.record({ by: fc.integer({ min: 1, max: 9 }), isForeign: fc.boolean(), turns: fc.nat(8) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 20 }),
        fc.array(fc.nat(6), { minLength: 1, maxLength: 9 }),
        async (script, turns) => {
          const inner = memoryStore()
          await using orchestrator = await open(unhurried(inner, turns))
          const ref = await orchestrator.spawn(counter, 'sum')
          const replies: Promise<number>[] = []
          for (const { by, isForeign, turns } of script) {
            if (isForeign) await inner.append('counter/sum', [added(by)])
            else replies.push(ref.ask({ add: by }))
            for (let turn = 0; turn < turns; turn++) await null
          }
          await Promise.all(replies)
          await ref.ask({ add: 0 })
          expect(ref.snapshot.context.sum).toBe(script.reduce((sum, { by }) => sum + by, 0))
          const folded = await foldStream(counter.definition, inner, 'counter/sum')
          expect([ref.version, ref.snapshot.context]).toEqual([folded.version, folded.snapshot.context])
        },
      ),
      { numRuns: 200 },
    )
  })

  test('of an agent is folded as well: its next task has the new configuration', async () => {
    const store = memoryStore()
    const runner = scriptedRunner()
    await using orchestrator = await Orchestrator.open({ store, runner, clock: virtualClock() })
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'old' })
    const config = { ...agent.snapshot.context.config, systemPrompt: 'new' }
    await store.append('agent/a', [{ type: 'AgentConfigured', v: 1, data: { config } }])
    expect((await agent.ask('hello')).text).toBe('echo: hello')
    expect(runner.calls.map(({ settings }) => settings.systemPrompt)).toEqual(['new'])
  })

  test('that cannot be folded is named, and repaired code continues', async () => {
    const store = memoryStore()
    await using orchestrator = await open(store)
    const ref = await orchestrator.spawn(counter, 'sum')
    await ref.tell({ add: 1 })
    await store.append('counter/sum', [added(5), added(13)])
    const problem = {
      _tag: 'UnreadableFactError',
      details: { stream: 'counter/sum', version: 3, type: 'Added' },
    }
    await expect(ref.tell({ add: 1 })).rejects.toMatchObject(problem)
    await expect(ref.tell({ add: 1 })).rejects.toMatchObject(problem)
    // What is shown is the last state that was whole.
    expect(ref.snapshot.context.sum).toBe(1)
    // A fold that throws on a fact of its own names it too, and writes nothing.
    const other = await orchestrator.spawn(counter, 'other')
    await expect(other.tell({ add: 13 })).rejects.toThrow(/Added .*counter\/other.*version 0.*thirteen/)
    expect(await other.ask({ add: 2 })).toBe(2)
  })
})

test('a write that is reported as failed, but was written, does not wedge the actor', async () => {
  const store = memoryStore()
  let isLost = false
  const lossy: EventStore = {
    ...store,
    async append(...given) {
      const recorded = await store.append(...given)
      if (isLost) throw new StoreReadOnly({ path: 'memory', problem: 'the disk has not answered' })
      return recorded
    },
  }
  await using orchestrator = await open(lossy)
  const ref = await orchestrator.spawn(counter, 'sum')
  isLost = true
  await expect(ref.tell({ add: 1 })).rejects.toMatchObject({ _tag: 'StoreReadOnly' })
  isLost = false
  expect(await ref.ask({ add: 1 })).toBe(2)
})
