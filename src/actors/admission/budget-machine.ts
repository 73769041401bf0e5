/** A budget's whole life as one pure state machine: what may be spent, what was, and what is spoken for. */
import { type SnapshotFrom, setup } from 'xstate'
import { type BudgetFact, budgetFacts, type Reservation } from '../../events/budget-facts.ts'
import type { Identified } from '../../events/envelope.ts'
import type { Amount, Limit } from '../../events/options/budget.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import { defineKind, type Effect } from '../engine/definition.ts'

export interface BudgetContext {
  readonly limit: Limit
  readonly spent: Amount
  /** Of calls that have not ended, by their ids. */
  readonly reserved: Readonly<Record<string, Reservation>>
  /** What calls of an agent came to, copies of it included: what the next one may cost. */
  readonly history: Readonly<Record<string, Amount & { readonly calls: number }>>
  /** What a program declared last. What is set by hand holds until it declares something else. */
  readonly declared: Limit | null
}

const NOTHING: Amount = { usd: 0, tokens: 0 }
const nothing: BudgetContext = {
  limit: { usd: null, tokens: null },
  spent: NOTHING,
  reserved: {},
  history: {},
  declared: null,
}

type DataOf<T extends BudgetFact['type']> = Extract<BudgetFact, { type: T }>['data']
type Changes = {
  readonly [T in BudgetFact['type']]: (context: BudgetContext, data: DataOf<T>) => Partial<BudgetContext>
}

const changes: Changes = {
  BudgetSet: (_, { limit, spent, declared }) => ({
    limit,
    ...(spent && { spent, history: {} }),
    ...(declared && { declared }),
  }),
  BudgetReserved: ({ reserved }, reservation) => ({
    reserved: { ...reserved, [reservation.callId]: reservation },
  }),
  BudgetSettled({ spent, reserved, history }, { callId, outcome, usd, tokens }) {
    const { [callId]: settled, ...open } = reserved
    const cost = { usd, tokens }
    if (!settled || outcome === 'released') return { reserved: open }
    const agent = nameWithoutCopy(settled.agent)
    const before = history[agent] ?? { calls: 0, ...NOTHING }
    return {
      reserved: open,
      spent: sum([spent, cost]),
      history: { ...history, [agent]: { calls: before.calls + 1, ...sum([before, cost]) } },
    }
  },
}

const budget = setup({
  types: {} as { context: BudgetContext; events: Identified<BudgetFact> },
  guards: {
    limits: ({ event }) =>
      event.type === 'BudgetSet' && (event.data.limit.usd !== null || event.data.limit.tokens !== null),
    isNew: ({ context, event }) => 'callId' in event.data && !(event.data.callId in context.reserved),
    isReserved: ({ context, event }) => 'callId' in event.data && event.data.callId in context.reserved,
  },
})

const fold = budget.assign(({ context, event }) => {
  const change = changes[event.type] as (
    context: BudgetContext,
    data: BudgetFact['data'],
  ) => Partial<BudgetContext>
  return change(context, event.data)
})

const set = [
  { guard: 'limits', target: 'limited', actions: fold },
  { target: 'unlimited', actions: fold },
] as const
const settle = { guard: 'isReserved', actions: fold } as const

export const budgetMachine = budget.createMachine({
  id: 'budget',
  context: nothing,
  initial: 'unlimited',
  states: {
    unlimited: { on: { BudgetSet: set, BudgetSettled: settle } },
    limited: {
      on: {
        BudgetSet: set,
        BudgetReserved: { guard: 'isNew', actions: fold },
        BudgetSettled: settle,
      },
    },
  },
})

export type BudgetSnapshot = SnapshotFrom<typeof budgetMachine>

/** What was reserved is settled when the call has ended. */
export type BudgetEffect = Effect & { readonly reservation: Reservation }

const parts = {
  facts: budgetFacts,
  effects: ({ context }: BudgetSnapshot): readonly BudgetEffect[] =>
    Object.values(context.reserved).map((reservation) => ({
      key: `settle ${reservation.callId}`,
      reservation,
    })),
  summarize: ({ value, context: { limit, spent, reserved } }: BudgetSnapshot): StreamSummary => ({
    status: value,
    open: Object.keys(reserved).length > 0,
    info: { limit, spent, reserved: sum(Object.values(reserved)) },
  }),
}

const kind = (name: string) =>
  defineKind<typeof budgetMachine, BudgetEffect>(name, budgetMachine, parts, [changes])

/** Whose budgets there are. Ids may be long, so each has a kind of its own. */
export const budgetKinds = {
  orchestrator: kind('budget'),
  agent: kind('agent-budget'),
  run: kind('run-budget'),
} as const

/** To a billionth of a dollar: sums of many small amounts stay what they look like. */
export function sum(amounts: readonly Amount[]): Amount {
  const usd = amounts.reduce((total, amount) => total + amount.usd, 0)
  const tokens = amounts.reduce((total, amount) => total + amount.tokens, 0)
  return { usd: Math.round(usd * 1e9) / 1e9, tokens }
}

/** Copies of an agent in a pool are `<id>.<number>`. */
export const nameWithoutCopy = (agent: string): string => agent.split('.')[0] ?? agent
