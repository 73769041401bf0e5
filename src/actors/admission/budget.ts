/** A budget as data: what it limits, its whole life as one pure state machine, and what fits into it. */
import { type SnapshotFrom, setup } from 'xstate'
import type { Hold } from '../../events/agent-facts.ts'
import { type BudgetFact, budgetFacts, type Reservation } from '../../events/budget-facts.ts'
import type { Identified } from '../../events/envelope.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollars } from '../../events/figures.ts'
import { checkId } from '../../events/ids.ts'
import type { Amount, Budget, Limit } from '../../events/options/budget.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import { defineKind, type Effect } from '../engine/definition.ts'

export interface BudgetContext {
  readonly limit: Limit
  readonly spent: Amount
  /** The reservations of calls that have not ended, by call id. */
  readonly reserved: Readonly<Record<string, Reservation>>
  /** The cost of each agent's calls, its copies included, to estimate the next one. */
  readonly history: Readonly<Record<string, Amount & { readonly calls: number }>>
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

/** Rounded to a billionth of a dollar, so that sums of many small amounts show no rounding errors. */
export function sum(amounts: readonly Amount[]): Amount {
  const usd = amounts.reduce((total, amount) => total + amount.usd, 0)
  const tokens = amounts.reduce((total, amount) => total + amount.tokens, 0)
  return { usd: Math.round(usd * 1e9) / 1e9, tokens }
}

/** The agent of a copy in a pool, whose id is `<id>.<number>`. */
export const nameWithoutCopy = (agent: string): string => agent.split('.')[0] ?? agent

/** An agent's budget covers its copies in pools. With neither field: the orchestrator's, which covers everything. */
export interface BudgetScope {
  readonly agent?: string
  readonly run?: string
}

/** The actor that keeps a budget: its kind and its id. */
export interface BudgetPlace {
  readonly of: keyof typeof budgetKinds
  readonly id: string
}

/** Throws InvalidIdError, or InvalidInputError if both an agent and a run are named. */
export function placeOf({ agent, run }: BudgetScope): BudgetPlace {
  if (agent !== undefined && run !== undefined)
    throw new InvalidInputError({
      what: 'The budget',
      problem: 'it belongs to an agent or to a run, not to both',
    })
  if (agent !== undefined) return { of: 'agent', id: checkId('agent', nameWithoutCopy(agent)) }
  return run === undefined
    ? { of: 'orchestrator', id: 'orchestrator' }
    : { of: 'run', id: checkId('run', run) }
}

export const streamOf = ({ of, id }: BudgetPlace): string => `${budgetKinds[of].kind}/${id}`

export function scopeOf(stream: string): BudgetScope {
  const [kind, id = ''] = stream.split('/')
  if (kind === budgetKinds.agent.kind) return { agent: id }
  return kind === budgetKinds.run.kind ? { run: id } : {}
}

/** `the budget of agent "writer"` */
export function nameOfBudget({ agent, run }: BudgetScope): string {
  if (agent !== undefined) return `the budget of agent "${agent}"`
  return run === undefined ? 'the budget' : `the budget of run ${run}`
}

/** A budget as it stands. */
export interface BudgetInfo {
  /** What it limits; empty for the orchestrator's budget, which covers everything. */
  readonly scope: BudgetScope
  /** null: no limit. */
  readonly limit: Limit
  readonly spent: Amount
  /** Reserved for calls that have not ended. */
  readonly reserved: Amount
  /** What can still be spent; null without a limit. Below zero if a call cost more than estimated. */
  readonly remaining: Limit
}

/** Why a call may not begin: a budget has no room for what it is estimated to cost. */
export type BudgetHold = Hold & { readonly reason: 'budget' }

/**
 * Why a budget holds a call, and how to resume it.
 *
 * @param budget The one that has no room, as it stands; null if that is not known.
 */
export function budgetHoldInWords(hold: Amount, budget: BudgetInfo | null) {
  return {
    message: `its next call does not fit into ${budget ? shortageIn(budget, hold) : 'a budget'}.`,
    hint: `It resumes when the budget has room: ${commandToRaise(budget)}`,
  }
}

/** `the budget: about $2.50 is needed, and $0.50 of $3.00 is left` */
function shortageIn({ scope, limit, remaining }: BudgetInfo, { usd, tokens }: Amount): string {
  const isShort = (left: number | null, needed: number) => left !== null && (left <= 0 || needed > left)
  const parts = [
    ...(isShort(remaining.usd, usd)
      ? [
          `about ${dollars(usd)} is needed, and ${dollars(Math.max(0, remaining.usd ?? 0))} of ${dollars(limit.usd ?? 0)} is left`,
        ]
      : []),
    ...(isShort(remaining.tokens, tokens)
      ? [
          `about ${tokens} tokens are needed, and ${Math.max(0, remaining.tokens ?? 0)} of ${limit.tokens} are left`,
        ]
      : []),
  ]
  return parts.length === 0 ? nameOfBudget(scope) : `${nameOfBudget(scope)}: ${parts.join('; ')}`
}

/** `claude-agents budget set --agent writer --usd N` */
export function commandToRaise(budget: Pick<BudgetInfo, 'scope' | 'limit'> | null): string {
  const { agent, run } = budget?.scope ?? {}
  const { usd, tokens } = budget?.limit ?? UNLIMITED
  const whose = agent !== undefined ? ` --agent ${agent}` : run !== undefined ? ` --run ${run}` : ''
  const limits = `${usd === null ? '' : ' --usd N'}${tokens === null ? '' : ' --tokens N'}`
  return `claude-agents budget set${whose}${limits}`
}

/** What an agent's calls have cost. */
export interface CallCosts {
  readonly totals: {
    readonly interactions: number
    readonly unanswered?: number
    readonly costUsd: number
    readonly inputTokens: number
    readonly outputTokens: number
    readonly cacheTokens?: number
  }
  readonly lastCost: Amount | null
}

/**
 * The estimated cost of an agent's next call: the mean of its calls or the last one, whichever is more (conversations
 * become more expensive), and at least the minimum.
 */
export function estimate({ totals, lastCost }: CallCosts, minimum: Amount): Amount {
  const { interactions, unanswered = 0, costUsd, inputTokens, outputTokens, cacheTokens = 0 } = totals
  const calls = Math.max(1, interactions + unanswered)
  const mean = { usd: costUsd / calls, tokens: Math.ceil((inputTokens + outputTokens + cacheTokens) / calls) }
  return sum([largest([mean, lastCost ?? mean, minimum])])
}

/** The estimate with what budgets have recorded of the agent: a new copy in a pool has no history of its own. */
export function estimateWith(own: Amount, agent: string, budgets: readonly BudgetContext[]): Amount {
  const histories = budgets.flatMap(({ history }) => history[nameWithoutCopy(agent)] ?? [])
  const means = histories.map(({ calls, usd, tokens }) => ({
    usd: usd / calls,
    tokens: Math.ceil(tokens / calls),
  }))
  return sum([largest([own, ...means])])
}

const largest = (amounts: readonly Amount[]): Amount => ({
  usd: Math.max(...amounts.map(({ usd }) => usd)),
  tokens: Math.max(...amounts.map(({ tokens }) => tokens)),
})

/** What is left of a limit after these amounts; null without a limit, below zero if more was spent. */
export function remaining(limit: Limit, amounts: readonly Amount[]): Limit {
  const gone = sum(amounts)
  return {
    usd: limit.usd === null ? null : Math.round((limit.usd - gone.usd) * 1e9) / 1e9,
    tokens: limit.tokens === null ? null : limit.tokens - gone.tokens,
  }
}

/** Whether a call fits into what is left. Nothing fits into a budget that is used up, not even a call estimated at nothing. */
export function fits({ usd, tokens }: Limit, cost: Amount): boolean {
  const has = (left: number | null, needed: number) => left === null || (left > 0 && needed <= left)
  return has(usd, cost.usd) && has(tokens, cost.tokens)
}

/** A limit after a change: a field left out stays, null removes its limit. */
export function changed(limit: Limit, { usd, tokens }: Budget): Limit {
  return {
    usd: usd === undefined ? limit.usd : usd,
    tokens: tokens === undefined ? limit.tokens : tokens,
  }
}

/**
 * The limit that a program's declaration sets; undefined if it declares the same as last time, so that a limit set by
 * hand in between stays.
 */
export function declared(context: BudgetContext, budget: Budget): Limit | undefined {
  const limit = changed(UNLIMITED, budget)
  const { declared: before } = context
  return before?.usd === limit.usd && before.tokens === limit.tokens ? undefined : limit
}

export const UNLIMITED: Limit = { usd: null, tokens: null }

export const isLimited = ({ usd, tokens }: Limit): boolean => usd !== null || tokens !== null
