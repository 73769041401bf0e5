/** What a call may cost and whether that fits: pure functions of budgets and of an agent's history. */
import type { Amount, Limit } from '../../events/budget-facts.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { type BudgetContext, nameWithoutCopy, sum } from './budget-machine.ts'

/** A budget: the most that may be spent in all, from its beginning on. What is not named has no limit. */
export interface Budget {
  /** US dollars. */
  readonly usd?: number | null
  /** Tokens in and out, without what a cache saved. */
  readonly tokens?: number | null
}

/** What a call is reckoned to cost at least, before it is made: the first one of an agent has no history. */
export const MINIMUM: Amount = { usd: 0.01, tokens: 100 }

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

/** Throws InvalidInputError for what is no budget. */
export function checkBudget(what: string, budget: Budget): Budget {
  if (typeof budget !== 'object' || budget === null) refuse(what, 'it is not { usd, tokens }')
  for (const name of Object.keys(budget))
    if (name !== 'usd' && name !== 'tokens')
      refuse(what, `it has no ${JSON.stringify(name)}, only usd and tokens`)
  const { usd, tokens } = budget
  if (usd !== undefined && usd !== null && !(Number.isFinite(usd) && usd >= 0))
    refuse(`${what}.usd`, `${usd} is not an amount of dollars`)
  if (tokens !== undefined && tokens !== null && !(Number.isSafeInteger(tokens) && tokens >= 0))
    refuse(`${what}.tokens`, `${tokens} is not a whole number of tokens`)
  return budget
}

function refuse(what: string, problem: string): never {
  throw new InvalidInputError({ what, problem, hint: 'As in { usd: 3 } or { usd: 3, tokens: 500_000 }.' })
}
