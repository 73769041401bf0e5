/** Everything that can happen to a schedule: what it asks and when, and what became of each firing. */
import * as Schema from 'effect/Schema'
import { Failure } from '../events/agent-facts.ts'
import { type FactOf, fact, factCatalog } from '../events/catalog.ts'
import { Count } from '../events/options/values.ts'
import { Body } from '../events/task-input.ts'

const { String: Text } = Schema
/** ISO 8601 in UTC. */
const Instant = Text
/** When it fires next; null if it never fires again. Decided once: the rules of time zones change. */
const NextAt = Schema.NullOr(Instant)
const ofFiring = {
  /** The id of its task or its run. */
  id: Text,
}

export const MISSED = ['once', 'skip', 'all'] as const
/** What becomes of firings that no process was there for: one stands for all, none is made up for, or each is. */
export const Missed = Schema.Literals(MISSED).annotate({ problem: 'is none of once, skip and all' })
export type Missed = typeof Missed.Type

const definitions = {
  ScheduleAdded: fact(
    Schema.Struct({
      cron: Text,
      timezone: Text,
      missed: Missed,
      /** The agent that is asked; null if a workflow is run. */
      agent: Schema.NullOr(Text),
      /** The reference to the workflow that is run; null if an agent is asked. */
      workflow: Schema.NullOr(Schema.JsonObject),
      /** The prompt, or the input. */
      text: Body,
      nextAt: NextAt,
    }),
  ),
  /** These instants have passed, and nothing is done for them. `count` ends at 1,000. */
  FiringsMissed: fact(Schema.Struct({ from: Instant, to: Instant, count: Count, nextAt: NextAt })),
  /** A task or a run is about to be begun. `at`: its instant; of one that was asked for by hand, when that was. */
  FiringAnnounced: fact(
    Schema.Struct({
      ...ofFiring,
      at: Instant,
      /** Absent if it was asked for by hand. */
      nextAt: Schema.optionalKey(NextAt),
    }),
  ),
  /** The task or the run is in the log. */
  FiringAccepted: fact(Schema.Struct(ofFiring)),
  /** Nothing was begun. */
  FiringFailed: fact(Schema.Struct({ ...ofFiring, error: Failure })),
  /** The clock was set back, or the rules of the time zone have changed. */
  FiringMoved: fact(Schema.Struct({ nextAt: NextAt })),
  SchedulePaused: fact(Schema.Struct({})),
  ScheduleResumed: fact(Schema.Struct({ nextAt: NextAt })),
  ScheduleRemoved: fact(Schema.Struct({})),
}

/** A fact of a schedule. */
export type ScheduleFact = FactOf<typeof definitions>
export const scheduleFacts = factCatalog(definitions)
