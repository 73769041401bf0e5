/** What a call may cost and whether that fits: pure functions of budgets and of an agent's history. */
import type { Amount, Budget, Limit } from '../../events/options/budget.ts'
import { type BudgetContext, nameWithoutCopy, sum } from './budget-machine.ts'

/** What an agent's calls have cost. */
export interface CallCosts {
  readonly totals: {
    readonly interactions: number
    readonly costUsd: number
    readonly inputTokens: number
    readonly outputTokens: number
  }
  readonly lastCost: Amount | null
}

/**
 * What the next call of an agent may cost: the mean of its calls or the last one, whichever is more (a conversation grows
 * dearer), and the minimum at least.
 */
export function estimate({ totals, lastCost }: CallCosts, minimum: Amount): Amount {
  const { interactions, costUsd, inputTokens, outputTokens } = totals
  const calls = Math.max(1, interactions)
  const mean = { usd: costUsd / calls, tokens: Math.ceil((inputTokens + outputTokens) / calls) }
  return sum([dearest([mean, lastCost ?? mean, minimum])])
}

/** The same with what a budget has seen of the agent: a new copy of one in a pool has no history of its own. */
export function estimateWith(own: Amount, agent: string, budgets: readonly BudgetContext[]): Amount {
  const seen = budgets.flatMap(({ history }) => history[nameWithoutCopy(agent)] ?? [])
  const means = seen.map(({ calls, usd, tokens }) => ({
    usd: usd / calls,
    tokens: Math.ceil(tokens / calls),
  }))
  return sum([dearest([own, ...means])])
}

const dearest = (amounts: readonly Amount[]): Amount => ({
  usd: Math.max(...amounts.map(({ usd }) => usd)),
  tokens: Math.max(...amounts.map(({ tokens }) => tokens)),
})

/** What is neither spent nor spoken for; null without a limit. Below zero where more was spent than there was. */
export function remaining(limit: Limit, amounts: readonly Amount[]): Limit {
  const gone = sum(amounts)
  return {
    usd: limit.usd === null ? null : Math.round((limit.usd - gone.usd) * 1e9) / 1e9,
    tokens: limit.tokens === null ? null : limit.tokens - gone.tokens,
  }
}

/** Whether a call fits. Nothing fits into a budget that is used up, whatever it is reckoned to cost. */
export function fits({ usd, tokens }: Limit, cost: Amount): boolean {
  const has = (left: number | null, needed: number) => left === null || (left > 0 && needed <= left)
  return has(usd, cost.usd) && has(tokens, cost.tokens)
}

/** The limit with a change: what is not named stays, null takes a limit away. */
export function changed(limit: Limit, { usd, tokens }: Budget): Limit {
  return {
    usd: usd === undefined ? limit.usd : usd,
    tokens: tokens === undefined ? limit.tokens : tokens,
  }
}

/**
 * What a program declares at its start counts when it is new: what somebody has set since by hand stays, as long as the
 * program says what it said before.
 */
export function declared(context: BudgetContext, budget: Budget): Limit | undefined {
  const limit = changed(UNLIMITED, budget)
  const { declared: before } = context
  return before?.usd === limit.usd && before.tokens === limit.tokens ? undefined : limit
}

export const UNLIMITED: Limit = { usd: null, tokens: null }

export const isLimited = ({ usd, tokens }: Limit): boolean => usd !== null || tokens !== null
