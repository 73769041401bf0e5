/** What is left in memory of agents and actors that have worked and are quiet: counted in the heap itself. */
import * as v8 from 'node:v8'
import * as Schema from 'effect/Schema'
import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { Agent } from '../../src/actors/agent/agent.ts'
import { AgentWorker } from '../../src/actors/agent/worker.ts'
import { EventSourcedActor } from '../../src/actors/engine/actor.ts'
import { defineActor } from '../../src/actors/own/definition.ts'
import { OwnActorRef } from '../../src/actors/own/ref.ts'
import type { FactsOf } from '../../src/events/own-facts.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { isLong } from '../repetitions.ts'
import { ECHO } from './world.ts'

const ACTORS = isLong ? 10_000 : 300
const CAP = 50

/** How many objects of a class are reachable. */
const { queryObjects } = v8 as unknown as { queryObjects(type: object, options: { format: 'count' }): number }
const living = (type: object): number => queryObjects(type, { format: 'count' })

/** How many of these are in the heap, once what was used in this turn of the event loop is free. */
async function census<Name extends string>(
  types: Readonly<Record<Name, object>>,
): Promise<Record<Name, number>> {
  await new Promise((resolve) => setImmediate(resolve))
  const found = Object.entries<object>(types).map(([name, type]) => [name, living(type)])
  return Object.fromEntries(found)
}

async function opened() {
  const clock = virtualClock()
  const orchestrator = await Orchestrator.open({
    ...{ clock, store: memoryStore({ clock }), runner: scriptedRunner({ clock }), maxAgents: ACTORS },
    limits: { agentsInMemory: CAP, quietMs: 60_000 },
  })
  return { clock, orchestrator }
}

test(`of ${ACTORS} agents that have worked, the cap bounds what the heap holds, and none is left when they are quiet`, async () => {
  const { clock, orchestrator } = await opened()
  await using _ = orchestrator
  const work = async (id: string) => {
    const agent = await orchestrator.createAgent({ ...ECHO, id })
    await agent.ask('hello')
  }
  for (let index = 0; index < ACTORS; index++) await work(`a${index}`)
  const types = { Agent, AgentWorker, EventSourcedActor }
  for (const count of Object.values(await census(types))) expect(count).toBeLessThanOrEqual(CAP + 2)
  await clock.advance(60_001)
  expect(await census(types)).toEqual({ Agent: 0, AgentWorker: 0, EventSourcedActor: 0 })
  expect((await orchestrator.agents()).length).toBe(ACTORS)
  expect(await orchestrator.sendTask('a7', 'again')).toBe('echo: again')
}, 300_000)

const facts = { Counted: Schema.Struct({ by: Schema.Int }) }
const counter = defineActor({
  kind: 'counter',
  facts,
  machine: setup({ types: {} as { context: { sum: number }; events: FactsOf<typeof facts> } }).createMachine({
    context: { sum: 0 },
    on: { Counted: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } },
  }),
  decide: ({ by }: { by: number }, { context }) => ({
    facts: [{ type: 'Counted', data: { by } }],
    reply: context.sum + by,
  }),
})

test('of actors of a user, the cap bounds what the heap holds; a handle works on, and one that is watched stays', async () => {
  const { clock, orchestrator } = await opened()
  await using _ = orchestrator
  const held = await orchestrator.spawn(counter, 'held')
  expect(await held.ask({ by: 1 })).toBe(1)
  const exits: unknown[] = []
  const watched = await orchestrator.spawn(counter, 'watched')
  watched.watch((exit) => exits.push(exit))
  for (let index = 0; index < ACTORS; index++)
    await (await orchestrator.spawn(counter, `c${index}`)).tell({ by: index })
  const types = { OwnActorRef, EventSourcedActor }
  for (const count of Object.values(await census(types))) expect(count).toBeLessThanOrEqual(CAP + 4)
  await clock.advance(60_001)
  // The handles that are held here.
  expect(await census(types)).toEqual({ OwnActorRef: 2, EventSourcedActor: 1 })
  expect([held.isAlive, held.version, held.snapshot.context]).toEqual([true, 1, { sum: 1 }])
  expect(await held.ask({ by: 2 })).toBe(3)
  expect(await orchestrator.spawn(counter, 'held')).toBe(held)
  expect(await (await orchestrator.spawn(counter, 'c7')).ask({ by: 1 })).toBe(8)
  await watched.kill()
  expect(exits).toEqual([{ reason: 'killed', error: null }])
}, 300_000)
