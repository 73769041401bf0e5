/** Everything that can happen to a budget. */
import * as Schema from 'effect/Schema'
import { type FactOf, fact, factCatalog } from './catalog.ts'
import { Amount, Limit } from './options/budget.ts'
import { byPerson, Count } from './options/values.ts'

/** The estimate for a call, reserved before the call starts. */
export const Reservation = Schema.Struct({
  callId: Schema.String,
  taskId: Schema.String,
  agent: Schema.String,
  /** The version of the agent's stream at that time: the call's outcome is written after it. */
  agentVersion: Count,
  ...Amount.fields,
})
export type Reservation = typeof Reservation.Type

const definitions = {
  BudgetSet: fact(
    Schema.Struct({
      limit: Limit,
      /** What had been spent before the limit was set; it counts from now on. */
      spent: Schema.optionalKey(Amount),
      /** What the program or its configuration declared; absent if the limit was set by hand. */
      declared: Schema.optionalKey(Limit),
      ...byPerson,
    }),
  ),
  /** Durable before the call is. */
  BudgetReserved: fact(Reservation),
  /** The call has ended, or never began. */
  BudgetSettled: fact(
    Schema.Struct({
      callId: Schema.String,
      ...Amount.fields,
      /**
       * `spent`: the actual cost. `estimated`: what a call that was cut off has cost by what had streamed. `assumed`: the
       * cost is unknown, so the whole reservation. `released`: nothing was sent.
       */
      outcome: Schema.Literals(['spent', 'estimated', 'assumed', 'released']),
    }),
  ),
}

export type BudgetFact = FactOf<typeof definitions>
export const budgetFacts = factCatalog(definitions)
