/** An actor of a user's own that writes to an agent, for tests. */
import * as Schema from 'effect/Schema'
import { assign, setup } from 'xstate'
import { defineActor } from '../../src/actors/own/definition.ts'
import type { FactsOf } from '../../src/events/own-facts.ts'

export const asking = {
  Asked: Schema.Struct({ text: Schema.String }),
  Answered: Schema.Struct({ text: Schema.String }),
}
interface Asking {
  readonly open: string | null
  readonly answers: readonly string[]
}

/** It asks an agent whatever it is told, and thanks it; or it only tells it. */
export const asker = (to: string, asks = true) =>
  defineActor({
    kind: 'asker',
    facts: asking,
    machine: setup({ types: {} as { context: Asking; events: FactsOf<typeof asking> } }).createMachine({
      context: { open: null, answers: [] },
      on: {
        Asked: { actions: assign({ open: ({ event }) => event.data.text }) },
        Answered: {
          actions: assign({
            open: null,
            answers: ({ context, event }) => [...context.answers, event.data.text],
          }),
        },
      },
    }),
    decide: ({ type, text }: { type: 'Asked' | 'Answered'; text: string }) => [{ type, data: { text } }],
    onMessage: ({ text }) => ({ type: 'Asked' as const, text }),
    effects: ({ context: { open } }) =>
      open === null
        ? []
        : [
            {
              key: `ask ${open}`,
              async run({ messages, self }) {
                const { text } = asks
                  ? await messages.ask(to, open, { requestId: `r-${open}` })
                  : { text: open }
                await messages.send(to, `thanks for ${text}`, { messageId: `t-${open}` })
                await self.tell({ type: 'Answered', text })
              },
            },
          ],
  })
