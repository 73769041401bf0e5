/** Everything that can happen to a budget. */
import * as Schema from 'effect/Schema'
import { type FactOf, fact, factCatalog } from './catalog.ts'
import { Amount, Limit } from './options/budget.ts'
import { Count } from './options/values.ts'

/** The estimate for a call, reserved before the call starts. */
export const Reservation = Schema.Struct({
  callId: Schema.String,
  taskId: Schema.String,
  agent: Schema.String,
  /** How long the agent's stream was: what became of the call is written after that. */
  agentVersion: Count,
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
