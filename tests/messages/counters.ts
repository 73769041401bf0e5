/** An actor of a user's own that takes messages, for tests: it counts what it is told. */
import * as Schema from 'effect/Schema'
import { assign, setup } from 'xstate'
import { defineActor } from '../../src/actors/own/definition.ts'
import type { FactsOf } from '../../src/events/own-facts.ts'

const facts = {
  Counted: Schema.Struct({
    messageId: Schema.String,
    from: Schema.NullOr(Schema.String),
    text: Schema.String,
  }),
}

export interface CounterContext {
  readonly counted: readonly {
    readonly messageId: string
    readonly from: string | null
    readonly text: string
  }[]
}

type Counted = CounterContext['counted'][number]

export const counter = defineActor({
  kind: 'counter',
  description: 'Counts.',
  facts,
  machine: setup({
    types: {} as { context: CounterContext; events: FactsOf<typeof facts> },
  }).createMachine({
    context: { counted: [] },
    on: {
      Counted: {
        actions: assign({ counted: ({ context, event }) => [...context.counted, { ...event.data }] }),
      },
    },
  }),
  decide: ({ messageId, from, text }: Counted, { context }) => {
    if (text === 'no') throw new Error('it does not count that')
    const data = { messageId, from, text }
    return { facts: [{ type: 'Counted' as const, data }], reply: context.counted.length + 1 }
  },
  onMessage: ({ messageId, from, text }) => ({ messageId, from, text }),
})
