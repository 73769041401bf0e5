/** The arithmetic of budgets: what a call is estimated to cost, and what fits into a limit. */
import { roundedUsd } from '../../events/figures.ts'
import type { Amount, Budget, Limit } from '../../events/options/budget.ts'

export function sum(amounts: readonly Amount[]): Amount {
  const usd = amounts.reduce((total, amount) => total + amount.usd, 0)
  const tokens = amounts.reduce((total, amount) => total + amount.tokens, 0)
  return { usd: roundedUsd(usd), tokens }
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

/** Calls that were settled, and what they cost together. */
export interface SettledCalls extends Amount {
  readonly calls: number
}

/** The estimate with what budgets have recorded of the agent: a new copy in a pool has no history of its own. */
export function estimateWith(own: Amount, recorded: readonly SettledCalls[]): Amount {
  const means = recorded.map(({ calls, usd, tokens }) => ({
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
    usd: limit.usd === null ? null : roundedUsd(limit.usd - gone.usd),
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
 * The limit that a program's declaration sets; undefined if it declares the same as `before`, its last one, so that a limit
 * set by hand in between stays.
 */
export function declared(before: Limit | null, budget: Budget): Limit | undefined {
  const limit = changed(UNLIMITED, budget)
  return before?.usd === limit.usd && before.tokens === limit.tokens ? undefined : limit
}

export const UNLIMITED: Limit = { usd: null, tokens: null }

export const isLimited = ({ usd, tokens }: Limit): boolean => usd !== null || tokens !== null
