/** A budget's whole life as one pure state machine. Its events are the log's facts. */
import { type SnapshotFrom, setup } from 'xstate'
import { type BudgetFact, budgetFacts, type Reservation } from '../../events/budget-facts.ts'
import type { Identified } from '../../events/envelope.ts'
import type { Amount, Limit } from '../../events/options/budget.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import { defineKind, type Effect } from '../engine/definition.ts'
import { type SettledCalls, sum } from './budget-arithmetic.ts'

export interface BudgetContext {
  readonly limit: Limit
  readonly spent: Amount
  /** The reservations of calls that have not ended, by call id. */
  readonly reserved: Readonly<Record<string, Reservation>>
  /** The cost of each agent's calls, its copies included, to estimate the next one. */
  readonly history: Readonly<Record<string, SettledCalls>>
  /** What a program declared last. A limit set by hand holds until the program declares something else. */
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

/** Settles a reservation once its call has ended. */
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

/** The kinds of budgets. Each has a kind of its own, because ids may take the full length of a name. */
export const budgetKinds = {
  orchestrator: kind('budget'),
  agent: kind('agent-budget'),
  run: kind('run-budget'),
} as const

/** The agent of a copy in a pool, whose id is `<id>.<number>`. */
export const nameWithoutCopy = (agent: string): string => agent.split('.')[0] ?? agent
