/** Everything that can happen to a budget. */
import * as Schema from 'effect/Schema'
import { type FactOf, fact, factCatalog } from './catalog.ts'

const Tokens = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Usd = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** Money in US dollars, and tokens: those that went in and those that came out, without what a cache saved. */
export const Amount = Schema.Struct({ usd: Usd, tokens: Tokens })
export type Amount = typeof Amount.Type

/** The most that may be spent in all; null is no limit. */
export const Limit = Schema.Struct({ usd: Schema.NullOr(Usd), tokens: Schema.NullOr(Tokens) })
export type Limit = typeof Limit.Type

/** What is reckoned to be spent, before it is. */
export const Reservation = Schema.Struct({
  callId: Schema.String,
  taskId: Schema.String,
  agent: Schema.String,
  /** How long the agent's stream was: what became of the call is written after that. */
  agentVersion: Tokens,
  ...Amount.fields,
})
export type Reservation = typeof Reservation.Type

const definitions = {
  BudgetSet: fact(
    Schema.Struct({
      limit: Limit,
      /** What had been spent before there was a limit: from here on it is counted. */
      spent: Schema.optionalKey(Amount),
      /** What a program or its configuration said, where this is not what somebody set by hand. */
      declared: Schema.optionalKey(Limit),
    }),
  ),
  /** Durable before the call is. */
  BudgetReserved: fact(Reservation),
  /** The call has ended, or never began. */
  BudgetSettled: fact(
    Schema.Struct({
      callId: Schema.String,
      ...Amount.fields,
      /** `spent`: what it came to. `assumed`: nobody knows, so all that was reserved. `released`: nothing was sent. */
      outcome: Schema.Literals(['spent', 'assumed', 'released']),
    }),
  ),
}

export type BudgetFact = FactOf<typeof definitions>
export const budgetFacts = factCatalog(definitions)
