/** Everything that can happen to a supervisor: one node of a supervision tree. */
import * as Schema from 'effect/Schema'
import { Failure } from './agent-facts.ts'
import { type FactOf, fact, factCatalog } from './catalog.ts'
import { ChildData, SupervisorRules } from './options/supervision.ts'
import { Count } from './options/values.ts'

/** ISO 8601 in UTC. */
const Instant = Schema.String
/** Milliseconds on a monotonic clock: only differences mean anything. */
const Stamp = Schema.Finite

/** How an actor ended. The last two are abnormal: a transient child is restarted only after them. */
export const ExitReason = Schema.Literals(['normal', 'shutdown', 'crashed', 'killed'])
export type ExitReason = typeof ExitReason.Type

const child = { id: Schema.String }

const definitions = {
  /** Its children are about to be started. Children that the log shows as running died with an earlier process. */
  SupervisorStarted: fact(
    Schema.Struct({
      rules: SupervisorRules,
      parent: Schema.NullOr(Schema.String),
      children: Schema.Array(ChildData),
    }),
  ),
  /** `child` is present if it is a new one, started at run time. */
  ChildStarted: fact(Schema.Struct({ ...child, stamp: Stamp, child: Schema.optionalKey(ChildData) })),
  ChildStartFailed: fact(Schema.Struct({ ...child, error: Failure })),
  /** A command ends a running child. From now on it counts as ended; how it ended is told by the exit that follows. */
  ChildTerminated: fact(Schema.Struct({ ...child, becomes: Schema.Literals(['kept', 'deleted']) })),
  /** A running child has ended, by itself or because its supervisor ended it; `becomes` says what follows. */
  ChildExited: fact(
    Schema.Struct({
      ...child,
      reason: ExitReason,
      error: Schema.NullOr(Failure),
      /** `kept`: its specification stays. `deleted`: its specification is removed. `restarted`: it will run again. */
      becomes: Schema.Literals(['kept', 'deleted', 'restarted']),
    }),
  ),
  /** A child will be restarted, alone or with the siblings that the strategy ties to it. */
  RestartScheduled: fact(
    Schema.Struct({
      ...child,
      stamp: Stamp,
      attempt: Count,
      dueAt: Instant,
      /** How long the wait is, in ms: it is never longer, whatever a clock shows. Absent in older logs. */
      delayMs: Schema.optionalKey(Count),
      /** All that will be restarted together, this one included, in start order; absent if it is this one alone. */
      children: Schema.optionalKey(Schema.Array(Schema.String)),
    }),
  ),
  /** The child that ended runs again, and so do the siblings that were restarted with it. */
  ChildrenRestarted: fact(Schema.Struct({ ...child, children: Schema.Array(Schema.String) })),
  /** A child that was about to be restarted was ended instead. */
  RestartCancelled: fact(Schema.Struct(child)),
  ChildDeleted: fact(Schema.Struct(child)),
  /** More restarts than the intensity allows: the supervisor ends and reports to its own supervisor. */
  Escalated: fact(
    Schema.Struct({ ...child, error: Schema.NullOr(Failure), restarts: Count, withinMs: Count }),
  ),
  /** Its significant children have ended, so by its rules it ends too. */
  AutoShutdownBegun: fact(Schema.Struct(child)),
  SupervisorStopped: fact(
    Schema.Struct({
      reason: Schema.Literals(['asked', 'escalated', 'auto-shutdown', 'not-started', 'killed']),
    }),
  ),
}

/** A fact of a supervisor, discriminated by its `type`. */
export type SupervisorFact = FactOf<typeof definitions>
export const supervisorFacts = factCatalog(definitions)
