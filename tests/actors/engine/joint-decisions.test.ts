/** Two actors that decide together: both facts are in one append or none, and nobody waits for ever. */
import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { EventSourcedActor } from '../../../src/actors/engine/actor.ts'
import { defineKind } from '../../../src/actors/engine/definition.ts'
import { foldStream } from '../../../src/actors/engine/fold-stream.ts'
import { type FactOf, fact, factCatalog } from '../../../src/events/catalog.ts'
import type { Identified, Recorded } from '../../../src/events/envelope.ts'
import { silentLogger } from '../../../src/logger.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { unhurried } from '../../unhurried.ts'

const definitions = { Added: fact(Schema.Struct({ by: Schema.Int })) }
type Added = FactOf<typeof definitions>
const machine = setup({
  types: {} as { context: { sum: number }; events: Identified<Added> },
}).createMachine({
  context: { sum: 0 },
  initial: 'open',
  states: {
    open: {
      on: { Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } },
    },
  },
})
const kind = defineKind('counter', machine, {
  facts: factCatalog(definitions),
  effects: () => [],
  summarize: ({ context }) => ({ status: String(context.sum), open: true }),
})

const COUNTERS = 4
const counter = fc.nat(COUNTERS - 1)
/** Something that an actor decides, alone or together with another one; either of them may refuse. */
const step = fc.record({
  of: counter,
  with: fc.option(counter, { nil: undefined }),
  isFirst: fc.boolean(),
  refuses: fc.constantFrom('none', 'none', 'none', 'own', 'part'),
  turns: fc.nat(3),
})

test('any common decisions of any actors are taken all or nothing, and all of them end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.nat(5), { minLength: 1, maxLength: 7 }),
      async (script, turns) => {
        const inner = memoryStore()
        const environment = {
          store: unhurried(inner, turns),
          clock: virtualClock(),
          logger: silentLogger,
        }
        const load = (_: unknown, id: number) => EventSourcedActor.load(kind, `c${id}`, environment)
        const actors = await Promise.all(Array.from({ length: COUNTERS }, load))
        const deciding = (by: number, isRefused: boolean) => () => {
          if (isRefused) throw new RangeError('refused')
          return [{ type: 'Added', data: { by } } as const]
        }
        const outcomes: Promise<unknown>[] = []
        const together: { readonly by: number; readonly isWritten: boolean; readonly isFirst: boolean }[] = []
        for (const [index, { of, with: other, isFirst, refuses, turns }] of script.entries()) {
          const by = index + 1
          for (let turn = 0; turn < turns; turn++) await null
          const [own, partner] = [actors[of], other === of ? undefined : actors[other ?? of]]
          if (!own) throw new Error('there are four')
          if (other === undefined || !partner) {
            outcomes.push(own.decide(deciding(by, refuses === 'own')).catch(() => {}))
            continue
          }
          const isRefused = refuses !== 'none'
          const part = partner.join(deciding(-by, refuses === 'part'), { isFirst })
          const both = Promise.allSettled([
            own.decide(deciding(by, refuses === 'own'), {}, part),
            part.recorded,
          ])
          outcomes.push(
            both.then((settled) => {
              expect(settled.map(({ status }) => status)).toEqual(
                isRefused ? ['rejected', 'rejected'] : ['fulfilled', 'fulfilled'],
              )
            }),
          )
          together.push({ by, isWritten: !isRefused, isFirst })
        }
        await Promise.all(outcomes)
        const log: Recorded[] = []
        for await (const recorded of inner.readAll()) log.push(recorded)
        const factOf = (by: number) => log.find(({ data }) => data.by === by)
        for (const { by, isWritten, isFirst } of together) {
          const [own, partners] = [factOf(by), factOf(-by)]
          expect([own !== undefined, partners !== undefined]).toEqual([isWritten, isWritten])
          const [cause, effect] = isFirst ? [partners, own] : [own, partners]
          expect(effect?.causationId).toBe(cause?.id)
        }
        for (const actor of actors) {
          const { snapshot } = await foldStream(kind, inner, actor.stream)
          expect(actor.snapshot.context).toEqual(snapshot.context)
          await actor.close()
        }
      },
    ),
    { numRuns: 150 },
  )
})

test('an actor that is closed refuses its part, and the other one writes nothing', async () => {
  const store = memoryStore()
  const environment = { store, clock: virtualClock(), logger: silentLogger }
  const [own, partner] = await Promise.all(
    ['a', 'b'].map((id) => EventSourcedActor.load(kind, id, environment)),
  )
  if (!own || !partner) throw new Error('there are two')
  const add = () => [{ type: 'Added', data: { by: 1 } } as const]
  await partner.close()
  const part = partner.join(add, { isFirst: true })
  await expect(own.decide(add, {}, part)).rejects.toMatchObject({ _tag: 'ClosedError' })
  await expect(part.recorded).rejects.toMatchObject({ _tag: 'ClosedError' })
  expect(await store.head()).toBe(0)
  await own.decide(add)
  expect(own.snapshot.context.sum).toBe(1)
})
