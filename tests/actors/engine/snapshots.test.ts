import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { agentKind } from '../../../src/actors/agent/machine.ts'
import { EventSourcedActor } from '../../../src/actors/engine/actor.ts'
import type { AnyKind } from '../../../src/actors/engine/definition.ts'
import { savedState } from '../../../src/actors/engine/fold.ts'
import { foldStream } from '../../../src/actors/engine/history.ts'
import { defineActor } from '../../../src/actors/own/definition.ts'
import type { FactsOf } from '../../../src/events/own-facts.ts'
import { verifyReplay } from '../../../src/history/verify-replay.ts'
import { silentLogger } from '../../../src/logger.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { ECHO, until, world } from '../world.ts'

const STREAM = 'agent/echo'

/** A world with one agent that has answered often enough for a snapshot. */
async function withHistory(asks = 60) {
  const { orchestrator, ...here } = await working(asks)
  await orchestrator.close()
  return here
}

/** The same, in which the agent still lives. */
async function working(asks: number) {
  const here = await world()
  const { orchestrator } = await here.open({ reply: ({ prompt }) => prompt })
  const agent = await orchestrator.createAgent(ECHO)
  for (let ask = 0; ask < asks; ask++) await agent.ask(`${ask}`)
  return { ...here, orchestrator }
}

const stateOf = async (store: EventStore, definition = agentKind) => {
  const { snapshot, version, savedVersion } = await foldStream(definition, store, STREAM)
  return { state: { value: snapshot.value, context: snapshot.context }, version, savedVersion }
}

describe('a snapshot', () => {
  test('is taken automatically and leads to the state that all facts lead to', async () => {
    const { store } = await withHistory()
    const quick = await stateOf(store)
    expect(quick.savedVersion).toBeGreaterThanOrEqual(100)
    await store.snapshots.clear()
    const slow = await stateOf(store)
    expect(slow.savedVersion).toBe(0)
    expect(quick.state).toEqual(slow.state)
    expect(quick.version).toBe(slow.version)
  })

  test('leaves at most a tenth of an agent of 1,000 facts to be folded after a crash', async () => {
    const { store, orchestrator } = await working(334)
    const { version, savedVersion } = await stateOf(store)
    expect(version).toBeGreaterThan(1000)
    expect(savedVersion).toBeLessThan(version)
    expect((version - savedVersion) * 10).toBeLessThanOrEqual(version)
    await orchestrator.close()
  })

  test('leaves nothing to be folded of an agent that has closed, unless it has few facts', async () => {
    const worked = await stateOf((await withHistory(4)).store)
    expect(worked.savedVersion).toBe(worked.version)
    expect(await stateOf((await withHistory(1)).store)).toMatchObject({ savedVersion: 0 })
  })

  test('of another fold is not used', async () => {
    const { store } = await withHistory()
    const { savedVersion, state } = await stateOf(store, { ...agentKind, fingerprint: 'another' })
    expect(savedVersion).toBe(0)
    expect(state).toEqual((await stateOf(store)).state)
  })

  test.each([
    ['of another history', { factId: 'somebody-elses' }],
    ['of facts that no longer exist', { version: 9999 }],
  ])('%s is not used', async (_, difference) => {
    const { store } = await withHistory()
    const expected = (await stateOf(store)).state
    const saved = await store.snapshots.load(STREAM)
    if (!saved) throw new Error('there is no snapshot')
    await store.snapshots.save(STREAM, { ...saved, state: { value: 'error', context: {} }, ...difference })
    const { state, savedVersion } = await stateOf(store)
    expect(savedVersion).toBe(0)
    expect(state).toEqual(expected)
  })

  test('that cannot be saved or read is ignored', async () => {
    const here = await world()
    const failing = async () => {
      throw new Error('no space')
    }
    here.store.snapshots.save = failing
    const { orchestrator } = await here.open()
    const agent = await orchestrator.createAgent(ECHO)
    for (let ask = 0; ask < 60; ask++) await agent.ask(`${ask}`)
    expect(agent.snapshot.context.totals.interactions).toBe(60)
    await orchestrator.close()
    const there = await withHistory()
    const { load } = there.store.snapshots
    expect(await load(STREAM)).toMatchObject({ fingerprint: agentKind.fingerprint })
    const unusable = {
      'is not there': async () => undefined,
      'cannot be loaded': failing,
      'is not a state': async (stream: string) => ({ ...(await load(stream)), state: null }) as never,
    }
    for (const [what, other] of Object.entries(unusable)) {
      there.store.snapshots.load = other
      const again = await there.open()
      const same = await again.orchestrator.agent('echo')
      await until(() => same.status === 'idle')
      expect([what, same.snapshot.context.totals.interactions]).toEqual([what, 60])
      await again.orchestrator.close()
    }
  })
})

describe('a snapshot of a machine with nested, parallel and history states', () => {
  const facts = {
    Entered: Schema.Struct({}),
    Left: Schema.Struct({}),
    Returned: Schema.Struct({ deep: Schema.Boolean }),
    Moved: Schema.Struct({}),
    Turned: Schema.Struct({}),
  }
  const house = defineActor({
    kind: 'house',
    facts,
    machine: setup({
      types: {} as { context: { moves: number }; events: FactsOf<typeof facts> },
    }).createMachine({
      id: 'house',
      initial: 'outside',
      context: { moves: 0 },
      states: {
        outside: {
          on: {
            Entered: 'inside',
            Returned: [
              { guard: ({ event }) => event.data.deep, target: 'inside.exactly' },
              { target: 'inside.roughly' },
            ],
          },
        },
        inside: {
          id: 'in.side',
          initial: 'below',
          on: { Left: 'outside', Moved: { actions: assign({ moves: ({ context }) => context.moves + 1 }) } },
          states: {
            exactly: { type: 'history', history: 'deep' },
            roughly: { type: 'history' },
            below: { on: { Moved: 'above' } },
            above: {
              type: 'parallel',
              on: { Entered: 'below' },
              states: {
                light: {
                  initial: 'off',
                  states: { off: { on: { Turned: 'on' } }, on: { on: { Turned: 'off' } } },
                },
                door: {
                  initial: 'shut',
                  states: { shut: { on: { Moved: 'open' } }, open: { on: { Moved: 'shut' } } },
                },
              },
            },
          },
        },
      },
    }),
    decide: () => [],
  })
  const definition = { ...house.definition, factsBetweenSnapshots: () => 1 }
  type HouseFact = Parameters<typeof definition.facts.write>[0]
  const fact: fc.Arbitrary<HouseFact> = fc.constantFrom<HouseFact>(
    { type: 'Entered', data: {} },
    { type: 'Left', data: {} },
    { type: 'Returned', data: { deep: true } },
    { type: 'Returned', data: { deep: false } },
    { type: 'Moved', data: {} },
    { type: 'Turned', data: {} },
  )

  test('leads wherever the whole history leads', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fact, { minLength: 1, maxLength: 30 }),
        fc.array(fact),
        async (before, after) => {
          const environment = { store: memoryStore(), clock: virtualClock(), logger: silentLogger }
          const actor = await EventSourcedActor.load(definition, 'one', environment)
          for (const one of before) await actor.decide(() => [one]).catch(() => {})
          await actor.close()
          const quick = await foldStream(definition, environment.store, 'house/one')
          expect(quick.savedVersion).toBe(quick.version)
          const kinds = [definition as unknown as AnyKind]
          expect((await verifyReplay(environment.store, { kinds })).divergences).toEqual([])
          const { transition, initial } = definition.fold
          let [one, other] = [quick.snapshot, initial]
          for await (const recorded of environment.store.read('house/one'))
            other = transition(other, definition.facts.read(recorded))
          for (const next of [undefined, ...after]) {
            if (next) {
              one = transition(one, next)
              other = transition(other, next)
            }
            expect(savedState(one)).toEqual(savedState(other))
          }
        },
      ),
      { numRuns: 150, seed: 20_261_129 },
    )
  })
})
