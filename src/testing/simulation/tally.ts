/** An actor for worlds whose user has none: it adds up, and an effect of its own takes it back to zero from ten on. */
import { assign, setup } from 'xstate'
import { defineActor } from '../../actors/own/definition.ts'
import type { FactsOf } from '../../events/own-facts.ts'

const anything = <T>() => ({
  '~standard': {
    validate: (value: unknown) => ({ value }),
    types: undefined as { readonly input: T; readonly output: T } | undefined,
  },
})

const facts = {
  Added: anything<{ readonly number: number; readonly by: number }>(),
  Cleared: anything<{ readonly at: number }>(),
}

export type TallyCommand = { readonly add: number; readonly number: number } | 'clear'

export const tally = defineActor({
  kind: 'tally',
  facts,
  machine: setup({
    types: {} as { context: { sum: number }; events: FactsOf<typeof facts> },
  }).createMachine({
    id: 'tally',
    context: { sum: 0 },
    on: {
      Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) },
      Cleared: { actions: assign({ sum: 0 }) },
    },
  }),
  decide(command: TallyCommand, { context: { sum } }) {
    if (command === 'clear')
      return { facts: sum < FULL ? [] : [{ type: 'Cleared' as const, data: { at: sum } }], reply: 0 }
    const { number, add } = command
    return { facts: [{ type: 'Added' as const, data: { number, by: add } }], reply: sum + add }
  },
  onMessage: ({ messageId }) => ({ add: 1, number: SENT + Number(/\d+/.exec(messageId)?.[0] ?? 0) }),
  effects: ({ context: { sum } }) =>
    sum < FULL ? [] : [{ key: `clear ${sum}`, run: async ({ self }) => void (await self.tell('clear')) }],
})

const FULL = 10
/** The numbers of messages are above those of other commands. */
export const SENT = 10_000_000
