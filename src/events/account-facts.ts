/** Everything that can happen to an account: what the service says about its limits, and what we decide to do about it. */
import * as Schema from 'effect/Schema'
import { type FactOf, fact, factCatalog } from './catalog.ts'
import { Count } from './options/values.ts'

/** ISO 8601 in UTC. */
const Instant = Schema.String

/** What the service said about one of its windows. */
export const ReportedWindow = Schema.Struct({
  /** In the service's words: `five_hour`. */
  name: Schema.String,
  /** In the service's words: `allowed`, `rejected`. */
  status: Schema.String,
  /** How much of it is used, 1 being all. */
  utilization: Schema.NullOr(Schema.Finite),
  resetsAt: Schema.NullOr(Instant),
})
export type ReportedWindow = typeof ReportedWindow.Type

const ofAccount = { account: Schema.String }

const definitions = {
  /** Written when it tells something new, not with every call. */
  WindowsReported: fact(Schema.Struct({ ...ofAccount, windows: Schema.Array(ReportedWindow) })),
  /** A limit was reached that ends at a known time: no call begins until then. */
  AccountPaused: fact(
    Schema.Struct({
      ...ofAccount,
      window: Schema.String,
      dueAt: Instant,
      /** How long that is, in ms. */ delayMs: Count,
    }),
  ),
  /** It cannot pay, and only a person can change that: no call begins until it is resumed. */
  AccountHeld: fact(Schema.Struct({ ...ofAccount, said: Schema.String })),
  /** A person says that it can be used again. */
  AccountResumed: fact(Schema.Struct({ by: Schema.NullOr(Schema.String) })),
}

/** A fact of an account, discriminated by its `type`. */
export type AccountFact = FactOf<typeof definitions>
export const accountFacts = factCatalog(definitions)
