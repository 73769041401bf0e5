/** Budgets in dollars and tokens: limits, and amounts spent. */
import * as Schema from 'effect/Schema'
import { type Decodable, decodedInput } from './decoding.ts'
import { explainedBy, optional, setting } from './setting.ts'

const HINT = 'As in { usd: 3 } or { usd: 3, tokens: 500_000 }.'

const Dollars = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)).annotate({
  problem: 'is not an amount of dollars',
  hint: HINT,
})
const Tokens = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({
  problem: 'is not a whole number of tokens',
  hint: HINT,
})

/** The most that may be spent in total. What is not set has no limit. */
export interface Budget {
  /** US dollars. */
  readonly usd?: number | null
  /** Input and output tokens, those written to the cache, and a share of those read from it (`cacheReadWeight`). */
  readonly tokens?: number | null
}

/** US dollars, and tokens: input, output, written to the cache, and a share of those read from it. */
export const Amount = Schema.Struct({ usd: Dollars, tokens: Tokens })
export type Amount = typeof Amount.Type

/** The most that may be spent in total; null means no limit. */
export const Limit = Schema.Struct({ usd: Schema.NullOr(Dollars), tokens: Schema.NullOr(Tokens) })
export type Limit = typeof Limit.Type

/** The most that all agents together may spend. */
export const BUDGET = {
  usd: setting(Dollars, 'how many dollars all agents together may ever spend'),
  tokens: setting(Tokens, 'how many tokens all agents together may ever use'),
}

/** The least that a call is estimated to cost, since an agent's first call has no history. */
export const CALL_MINIMUM = {
  usd: setting(Dollars, 'the least that a call is estimated to cost, in dollars, before it starts', 0.01),
  tokens: setting(Tokens, 'the least that a call is estimated to use, in tokens, before it starts', 100),
}

/** A token that is read from the cache costs a tenth of one that is sent. */
export const CACHE_READ_WEIGHT = setting(
  Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThanOrEqualTo(1)).annotate({
    problem: 'is not a number from 0 to 1',
  }),
  'how much of each token that is read from the cache counts in budgets and totals of tokens; by default, as it is priced',
  0.1,
)

const words = { problem: 'is not { usd, tokens }', hint: HINT }

export const Budget: Decodable<Budget> = explainedBy<Budget>()(
  Schema.Struct({
    usd: Schema.optionalKey(Schema.NullOr(Dollars)),
    tokens: Schema.optionalKey(Schema.NullOr(Tokens)),
  }).annotate(words),
)

export const CallMinimum = Schema.Struct(optional(CALL_MINIMUM)).annotate(words)

/** Returns the budget, or throws {@link InvalidInputError}. */
export const checkBudget = (budget: Budget): Budget =>
  decodedInput(Budget, budget, { name: 'budget', prefixes: true })
