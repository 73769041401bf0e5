/** Users' own actors: durable, replayed and supervised by the same code as agents. */
import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { assign, setup } from 'xstate'
import { foldStream } from '../../../src/actors/engine/history.ts'
import { type ActorParts, defineActor, type OwnEffect } from '../../../src/actors/own/definition.ts'
import { OverloadedError } from '../../../src/events/errors/call.ts'
import type { JsonObject } from '../../../src/events/json.ts'
import type { FactsOf } from '../../../src/events/own-facts.ts'
import { KINDS } from '../../../src/history/kinds.ts'
import { crew, quiet } from '../crew.ts'
import { until } from '../world.ts'

const facts = {
  Taken: Schema.Struct({ by: Schema.String, amount: Schema.Int }),
  Refilled: Schema.Struct({}),
}
interface Quota {
  readonly left: number
  readonly taken: Readonly<Record<string, number>>
}
const machine = setup({ types: {} as { context: Quota; events: FactsOf<typeof facts> } }).createMachine({
  id: 'quota',
  context: { left: 3, taken: {} },
  initial: 'open',
  states: {
    open: {
      on: {
        Taken: {
          actions: assign(({ context: { left, taken }, event: { data } }) => ({
            left: left - data.amount,
            taken: { ...taken, [data.by]: (taken[data.by] ?? 0) + data.amount },
          })),
        },
        Refilled: { actions: assign({ left: 3 }) },
      },
    },
  },
})
type Command = { readonly take: number; readonly by: string } | 'refill'

const parts = {
  kind: 'quota',
  facts,
  machine,
  decide(command: Command, { context }: { context: Quota }) {
    if (command === 'refill') return { facts: [{ type: 'Refilled' as const, data: {} }], reply: context.left }
    if (command.take > context.left) throw new Error(`only ${context.left} left`)
    const { by, take: amount } = command
    return { facts: [{ type: 'Taken' as const, data: { by, amount } }], reply: context.left - amount }
  },
} satisfies ActorParts<typeof facts, typeof machine, Command, number>
const quota = defineActor(parts)

/** The same kind, with an effect. */
const working = (run: OwnEffect<Command, number>['run'], kind = 'worker') =>
  defineActor({
    ...parts,
    kind,
    effects: ({ context }: { context: Quota }) => (context.left < 3 ? [{ key: 'refill', run }] : []),
  })

describe('An own actor', () => {
  test('decides on commands, replies, and keeps its state across restarts', async () => {
    const world = crew()
    const first = await world.open()
    const ref = await first.spawn(quota, 'api')
    expect(await ref.ask({ take: 2, by: 'a' })).toBe(1)
    await ref.tell({ take: 1, by: 'b' })
    await expect(ref.ask({ take: 1, by: 'b' })).rejects.toThrow('only 0 left')
    expect(ref.snapshot.context).toEqual({ left: 0, taken: { a: 2, b: 1 } })
    await first.close()
    await expect(ref.ask('refill')).rejects.toMatchObject({ _tag: 'ActorStoppedError' })

    const second = await world.open()
    const again = await second.spawn(quota, 'api')
    expect([again.version, again.snapshot.context.left]).toEqual([2, 0])
    expect(await second.spawn(quota, 'api')).toBe(again)
  })

  test('has an effect for each part of its state, which knows the commands and the replies', async () => {
    const orders = {
      Placed: Schema.Struct({ order: Schema.String }),
      Packed: Schema.Struct({ order: Schema.String }),
    }
    type Order = { readonly place: string } | { readonly pack: string }
    const desk = defineActor({
      kind: 'desk',
      facts: orders,
      machine: setup({
        types: {} as { context: { open: readonly string[] }; events: FactsOf<typeof orders> },
      }).createMachine({
        context: { open: [] },
        on: {
          Placed: { actions: assign({ open: ({ context, event }) => [...context.open, event.data.order] }) },
          Packed: {
            actions: assign({
              open: ({ context, event }) => context.open.filter((order) => order !== event.data.order),
            }),
          },
        },
      }),
      decide: (command: Order, { context }) => ({
        facts: [
          'place' in command
            ? { type: 'Placed', data: { order: command.place } }
            : { type: 'Packed', data: { order: command.pack } },
        ],
        reply: context.open.length,
      }),
      effects: ({ context }) =>
        context.open.map((order) => ({
          key: order,
          run: async ({ self }) => {
            await self.ask({ pack: order })
          },
        })),
    })
    const orchestrator = await crew().open()
    const ref = await orchestrator.spawn(desk, 'main')
    expectTypeOf(ref.ask).returns.toEqualTypeOf<Promise<number>>()
    await Promise.all(['a', 'b'].map((order) => ref.tell({ place: order })))
    await until(() => ref.version === 4)
    expect(ref.snapshot.context.open).toEqual([])
    const silent = defineActor({ ...parts, decide: (_: Command) => [] })
    expectTypeOf((await orchestrator.spawn(silent, 'x')).ask).returns.toEqualTypeOf<Promise<undefined>>()
  })

  test('is typed end to end', async () => {
    const orchestrator = await crew().open()
    const ref = await orchestrator.spawn(quota, 'api')
    expectTypeOf(ref.ask).parameter(0).toEqualTypeOf<Command>()
    expectTypeOf(ref.ask).returns.toEqualTypeOf<Promise<number>>()
    expectTypeOf(ref.snapshot.context).toEqualTypeOf<Quota>()
    expectTypeOf(ref.snapshot.value).toEqualTypeOf<'open'>()
    const wrong = () => {
      // @ts-expect-error an unknown command
      void ref.tell('empty')
      // @ts-expect-error an unknown fact
      defineActor({ ...parts, decide: (_: Command) => [{ type: 'Emptied', data: {} }] })
      // @ts-expect-error data that do not match the schema
      defineActor({ ...parts, decide: (_: Command) => [{ type: 'Taken', data: { by: 1, amount: 1 } }] })
      const other = setup({ types: {} as { events: { type: 'Else' } } }).createMachine({})
      // @ts-expect-error a machine whose events are not the facts
      defineActor({ ...parts, machine: other, decide: (_: Command) => [] })
    }
    expect(wrong).toBeTypeOf('function')
  })

  test('appears in the log and in its replay', async () => {
    const world = crew()
    const orchestrator = await world.open()
    const ref = await orchestrator.spawn(quota, 'api')
    await ref.tell({ take: 2, by: 'a' })
    await ref.tell('refill')
    const logged: string[] = []
    for await (const { stream, type } of orchestrator.history.log()) logged.push(`${stream} ${type}`)
    expect(logged).toEqual(['quota/api Taken', 'quota/api Refilled'])
    const left: number[] = []
    for await (const { after } of orchestrator.history.replay('quota/api')) left.push(after.context.left)
    expect(left).toEqual([1, 3])
  })

  test('is replayed without being spawned if its kind is given; otherwise only its facts are shown', async () => {
    const world = crew()
    const first = await world.open()
    await (await first.spawn(quota, 'api')).tell({ take: 1, by: 'a' })
    await first.close()
    const unknowing = await world.open()
    await expect(unknowing.history.replay('quota/api').next()).rejects.toMatchObject({
      _tag: 'UnknownKindError',
    })
    await unknowing.close()
    const knowing = await crew({ store: world.store, actors: [quota] }).open()
    expect((await knowing.history.replay('quota/api').next()).value.after.context.left).toBe(2)
  })

  test('has the state that its facts fold to, after each of them', async () => {
    const commands = fc.array(
      fc.oneof(
        fc.constant('refill' as const),
        fc.record({ take: fc.integer({ min: 0, max: 4 }), by: fc.constantFrom('a', 'b', '__proto__') }),
      ),
      { maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(commands, async (given) => {
        const world = crew()
        const orchestrator = await world.open()
        const ref = await orchestrator.spawn(quota, 'api')
        for (const command of given) {
          await ref.ask(command).catch(() => {})
          const { snapshot } = await foldStream(quota.definition, world.store, 'quota/api')
          expect(snapshot.context).toEqual(ref.snapshot.context)
        }
        await orchestrator.close()
      }),
      { numRuns: 30, seed: 20_261_123 },
    )
  })

  test('notifies subscribers of each state and watchers of its end', async () => {
    const orchestrator = await crew().open()
    const ref = await orchestrator.spawn(quota, 'api')
    const left: number[] = []
    const subscription = ref.subscribe(({ context }) => left.push(context.left))
    const ends: string[] = []
    ref.watch(({ reason }) => ends.push(reason))
    const end = ref.watch()[Symbol.asyncIterator]().next()
    await ref.tell({ take: 1, by: 'a' })
    subscription.unsubscribe()
    await ref.tell({ take: 1, by: 'a' })
    await ref.stop()
    expect(left).toEqual([2])
    expect(ends).toEqual(['normal'])
    expect((await end).value).toEqual({ reason: 'normal', error: null })
    expect(ref.isAlive).toBe(false)
    await orchestrator.spawn(quota, 'api')
    expect([ref.isAlive, ref.snapshot.context.left]).toEqual([true, 1])
  })
})

describe('An effect of an actor', () => {
  test('runs while the state asks for it, and can send its result to the actor', async () => {
    const world = crew()
    const orchestrator = await world.open()
    const refilling = working(async ({ self }) => {
      await self.tell('refill')
    })
    const ref = await orchestrator.spawn(refilling, 'api')
    await ref.tell({ take: 2, by: 'a' })
    await quiet()
    expect(ref.snapshot.context.left).toBe(3)
  })

  test('is resumed when the store is next opened with its kind', async () => {
    const world = crew()
    const runs: boolean[] = []
    const hanging = working(({ resumed, signal }) => {
      runs.push(resumed)
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
    })
    const first = await world.open()
    await (await first.spawn(hanging, 'api')).tell({ take: 1, by: 'a' })
    await first.close()
    await crew({ store: world.store, actors: [hanging] }).open()
    expect(runs).toEqual([false, true])
  })

  test('that throws crashes its actor, unless the error is retryable', async () => {
    const world = crew()
    const orchestrator = await world.open()
    let tries = 0
    const failing = working(() => {
      tries += 1
      if (tries === 1) throw new OverloadedError()
      throw new TypeError('no such thing')
    })
    const ref = await orchestrator.spawn(failing, 'api')
    const ended = ref.watch()[Symbol.asyncIterator]().next()
    await ref.tell({ take: 1, by: 'a' })
    await quiet()
    expect([ref.isAlive, tries]).toEqual([true, 1])
    await world.clock.advance(500)
    await quiet()
    expect((await ended).value).toMatchObject({
      reason: 'crashed',
      error: { tag: 'TypeError', message: 'no such thing' },
    })
    await expect(ref.tell('refill')).rejects.toThrow('crashed')
  })

  test('can end its actor', async () => {
    const orchestrator = await crew().open()
    const ref = await orchestrator.spawn(
      working(({ end }) => end()),
      'api',
    )
    await ref.tell({ take: 1, by: 'a' })
    await quiet()
    expect(ref.isAlive).toBe(false)
  })
})

describe('Under a supervisor', () => {
  test('an actor that crashes is restarted with the state in its log, under the same reference', async () => {
    const world = crew()
    const orchestrator = await world.open()
    let crashes = 0
    const fragile = working(async ({ self }) => {
      if (++crashes < 3) throw new Error('again')
      await self.tell('refill')
    })
    const supervisor = await orchestrator.supervise({
      id: 'top',
      intensity: { maxRestarts: 5, withinMs: 1000 },
      children: [{ id: 'quota', start: () => orchestrator.spawn(fragile, 'api') }, world.child('other')],
    })
    const ref = await orchestrator.spawn(fragile, 'api')
    await ref.tell({ take: 2, by: 'a' })
    await quiet()
    expect(supervisor.children()).toMatchObject([
      { id: 'quota', status: 'running', restarts: 2, ref },
      { id: 'other', restarts: 0 },
    ])
    expect(ref.snapshot.context).toEqual({ left: 3, taken: { a: 2 } })
    expect(world.heard()).toBe('+other')
  })

  test('an actor whose facts cannot be read is not started, and the error names it', async () => {
    const world = crew()
    const orchestrator = await world.open()
    await world.store.append('quota/api', [{ type: 'Melted', v: 1, data: {} }])
    await expect(
      orchestrator.supervise({
        id: 'top',
        children: [{ id: 'quota', start: () => orchestrator.spawn(quota, 'api') }],
      }),
    ).rejects.toThrow('Melted')
  })
})

describe('A definition is refused', () => {
  test.each([...KINDS.map(({ kind }) => kind), 'Quota', '../x', 'a.1'])('with the kind %s', (kind) => {
    expect(() => defineActor({ ...parts, kind })).toThrow(kind)
  })

  test('with a machine that is not replayable, by the name of the state and the construct', () => {
    const ticking = setup({ types: {} as { events: FactsOf<typeof facts> } }).createMachine({
      id: 'quota',
      initial: 'open',
      states: { open: { after: { 1000: 'open' } } },
    })
    expect(() => defineActor({ ...parts, machine: ticking, decide: () => [] })).toThrow(
      'Machine "quota" cannot be replayed: state "open" uses after',
    )
  })

  test('with an invalid schema or an invalid name of a fact', () => {
    const no = { ...parts, facts: { Taken: {}, Refilled: {} } } as unknown as typeof parts
    expect(() => defineActor(no)).toThrow('Fact "Taken" of kind "quota": it has no schema')
    const spaced = { ...parts, facts: { 'was taken': facts.Taken } } as unknown as typeof parts
    expect(() => defineActor(spaced)).toThrow('was taken')
  })

  test('if the kind has another definition', async () => {
    const orchestrator = await crew().open()
    await orchestrator.spawn(quota, 'api')
    await expect(orchestrator.spawn(defineActor(parts), 'other')).rejects.toThrow('two definitions')
  })
})

describe('A fact of an actor', () => {
  test('that does not match its schema does not reach the log', async () => {
    const world = crew()
    const orchestrator = await world.open()
    const ref = await orchestrator.spawn(quota, 'api')
    await expect(ref.tell({ take: 0.5, by: 'a' })).rejects.toMatchObject({ _tag: 'InvalidFactError' })
    expect(await world.store.head()).toBe(0)
  })

  test('may have a schema of any library, which may transform it, but not into what JSON would lose', async () => {
    const stamped = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) =>
          typeof value === 'object' && value !== null && 'text' in value
            ? { value: { ...value, words: String(value.text).split(' ').length } }
            : { issues: [{ message: 'text is missing' }] },
        types: undefined as unknown as {
          input: { text: string }
          output: { text: string; words?: number; at?: Date }
        },
      },
    } as const
    const noteFacts = { Noted: stamped }
    type NoteEvents = FactsOf<typeof noteFacts>
    const notebook = defineActor({
      kind: 'notebook',
      facts: noteFacts,
      machine: setup({
        types: {} as { context: { notes: readonly object[] }; events: NoteEvents },
      }).createMachine({
        context: { notes: [] },
        on: {
          Noted: { actions: assign({ notes: ({ context, event }) => [...context.notes, event.data] }) },
        },
      }),
      decide: (data: { text: string; at?: Date }) => [{ type: 'Noted', data }],
    })
    const orchestrator = await crew().open()
    const ref = await orchestrator.spawn(notebook, 'team')
    await ref.tell({ text: 'one two' })
    expect(ref.snapshot.context.notes).toEqual([{ text: 'one two', words: 2 }])
    await expect(ref.tell({} as never)).rejects.toThrow('text is missing')
    await expect(ref.tell({ text: 'x', at: new Date() })).rejects.toThrow('data.at is not JSON')
  })

  test('of an older version is upcast', async () => {
    const world = crew()
    await world.store.append('quota/api', [{ type: 'Taken', v: 1, data: { by: 'a' } }])
    const newer = defineActor({
      ...parts,
      facts: {
        ...facts,
        Taken: { schema: facts.Taken, upcasts: [(data: JsonObject) => ({ ...data, amount: 2 })] },
      },
    })
    const orchestrator = await world.open()
    const ref = await orchestrator.spawn(newer, 'api')
    expect(ref.snapshot.context.left).toBe(1)
  })
})
