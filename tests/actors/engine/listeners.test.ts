/** Listeners that throw: the host hears of it, as with RxJS and XState, and everything else continues. */
import { setImmediate } from 'node:timers/promises'
import * as Schema from 'effect/Schema'
import { expect, onTestFinished, test } from 'vitest'
import { assign, setup } from 'xstate'
import { defineActor } from '../../../src/actors/own/definition.ts'
import type { FactsOf } from '../../../src/events/own-facts.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../../src/orchestrator-options.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { telemetry } from '../../../src/telemetry/telemetry.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'

const facts = { Added: Schema.Struct({ by: Schema.Int }) }
const counter = defineActor({
  kind: 'counter',
  facts,
  machine: setup({
    types: {} as { context: { sum: number }; events: FactsOf<typeof facts> },
  }).createMachine({
    context: { sum: 0 },
    on: { Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } },
  }),
  decide: (command: { add: number }, { context }) => ({
    facts: [{ type: 'Added', data: { by: command.add } }],
    reply: context.sum + command.add,
  }),
})

class Boom extends Error {}
const throws = () => {
  throw new Boom()
}

/** The errors that nothing handles, instead of failing the test. */
function uncaught(): unknown[] {
  const errors: unknown[] = []
  const hear = (error: unknown) => void errors.push(error)
  const events = ['uncaughtException', 'unhandledRejection'] as const
  const before = events.map((event) => [event, process.listeners(event as 'uncaughtException')] as const)
  for (const event of events) process.removeAllListeners(event).on(event, hear)
  onTestFinished(() => {
    for (const [event, listeners] of before) {
      process.removeAllListeners(event)
      for (const listener of listeners) process.on(event, listener)
    }
  })
  return errors
}

async function quiet() {
  for (let round = 0; round < 20; round++) await setImmediate()
}

/** How each listener is attached. */
const LISTENERS: Readonly<
  Record<string, OrchestratorOptions | ((orchestrator: Orchestrator) => Promise<unknown> | unknown)>
> = {
  'a subscriber of an actor': async (orchestrator) =>
    (await orchestrator.spawn(counter, 'sum')).subscribe(throws),
  'a watcher of an actor': async (orchestrator) => (await orchestrator.spawn(counter, 'sum')).watch(throws),
  'a subscriber of a state machine': async (orchestrator) =>
    (await orchestrator.agent('echo')).machine.subscribe(throws),
  'a subscriber of the events': (orchestrator) => orchestrator.events().subscribe(throws),
  'onHeld and onReleased': async (orchestrator) => {
    const agent = await orchestrator.agent('echo')
    const held = agent.ask('held', { taskId: 'held', approval: true, onHeld: throws, onReleased: throws })
    await quiet()
    await agent.approve('held')
    await held
  },
  'a subscriber of a run': (orchestrator) =>
    orchestrator.run(sequential(['echo']), 'begin').subscribe(throws),
  'an inspector': { inspect: throws },
  'an inspector that is an observer': { inspect: { next: throws } },
  'a logger': { logger: { debug: throws, info: throws, warn: throws, error: throws } },
  'the listener of a failure': { onFailure: throws },
}

test.each(Object.keys(LISTENERS))(
  '%s that throws is reported to the host, and everything continues',
  async (name) => {
    const errors = uncaught()
    const listener = LISTENERS[name] ?? {}
    const orchestrator = await Orchestrator.open({
      store: memoryStore(),
      runner: scriptedRunner({
        reply: ({ prompt, attempt }) => (prompt === 'twice' && attempt === 1 ? new Boom() : prompt),
      }),
      agents: [{ id: 'echo', systemPrompt: 'You repeat.', retry: { minDelayMs: 1, maxDelayMs: 1 } }],
      ...(typeof listener === 'function' ? {} : listener),
    })
    if (typeof listener === 'function') await listener(orchestrator)

    // Commands of an actor are written, told so, and folded.
    const ref = await orchestrator.spawn(counter, 'sum')
    expect(await ref.ask({ add: 1 })).toBe(1)
    expect(await ref.ask({ add: 2 })).toBe(3)
    await ref.tell({ add: 3 })
    expect(ref.snapshot.context.sum).toBe(6)
    // Tasks and runs end.
    const agent = await orchestrator.agent('echo')
    expect((await agent.ask('one')).text).toBe('one')
    expect((await agent.ask('twice')).text).toBe('twice')
    expect((await orchestrator.run(sequential(['echo', 'echo']), 'two')).success).toBe(true)
    // A supervisor sees that its child has ended, and restarts it.
    await ref.kill()
    const supervisor = await orchestrator.supervise({
      id: 'top',
      intensity: { maxRestarts: 1, withinMs: 60_000 },
      children: [{ id: 'child', start: async () => orchestrator.spawn(counter, 'sum') }],
    })
    const watched = await orchestrator.spawn(counter, 'sum')
    watched.watch(() => {})
    if (name === 'a watcher of an actor') watched.watch(throws)
    await watched.kill()
    await quiet()
    expect(supervisor.counts()).toEqual({ specs: 1, running: 1 })
    // So it does when the supervisor itself gives up.
    await watched.kill()
    await quiet()
    if (name === 'the listener of a failure')
      expect(await orchestrator.failed).toMatchObject({ _tag: 'SupervisionFailedError' })
    await orchestrator.close()
    await quiet()
    expect(errors.length).toBeGreaterThan(0)
    expect(errors.every((error) => error instanceof Boom)).toBe(true)
  },
)

test('a tracer that throws changes nothing', async () => {
  const errors = uncaught()
  const orchestrator = await Orchestrator.open({
    store: memoryStore(),
    runner: scriptedRunner(),
    agents: [{ id: 'echo', systemPrompt: 'You repeat.' }],
  })
  const span = { setAttributes: throws, setStatus: throws, addEvent: throws, end: throws }
  await telemetry(orchestrator, { tracerProvider: { getTracer: () => ({ startSpan: () => span }) } })
  const agent = await orchestrator.agent('echo')
  expect((await agent.ask('one')).text).toBe('echo: one')
  expect((await agent.ask('two')).text).toBe('echo: two')
  await orchestrator.close()
  await quiet()
  expect(errors).toEqual([])
})
