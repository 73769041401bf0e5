/** Typed facts: a recorded fact is JSON of some version; here it gets its type, upcast to the current version. */
import { filter, map, type OperatorFunction } from 'rxjs'
import type { AccountFact } from '../events/account-facts.ts'
import type { AgentFact } from '../events/agent-facts.ts'
import type { BudgetFact } from '../events/budget-facts.ts'
import type { Recorded } from '../events/envelope.ts'
import type { LandingFact } from '../events/landing-facts.ts'
import type { RunFact } from '../events/run-facts.ts'
import type { SupervisorFact } from '../events/supervisor-facts.ts'
import type { TopicFact } from '../messages/topics/facts.ts'
import type { NoteFact } from '../notes/facts.ts'
import type { ScheduleFact } from '../schedules/facts.ts'
import { kindOf } from './kinds.ts'

/** Any fact of a built-in kind of actor. */
export type KnownFact =
  | AgentFact
  | AccountFact
  | RunFact
  | SupervisorFact
  | BudgetFact
  | LandingFact
  | ScheduleFact
  | TopicFact
  | NoteFact
/** The type of a fact of a built-in kind of actor. */
export type FactType = KnownFact['type']

/** A fact in the log whose data is typed. */
export type RecordedFact<T extends FactType = FactType> = T extends FactType
  ? Omit<Recorded, 'type' | 'data'> & Extract<KnownFact, { type: T }>
  : never

/**
 * A fact as this version of the package knows it: its data is upcast. One of a kind of your own, or of a newer version of
 * this package, stays as it was written.
 */
export function currentFact(recorded: Recorded): RecordedFact {
  const facts = kindOf(recorded.stream)?.facts
  const type = facts?.typeOf(recorded) ?? recorded.type
  const v = facts?.versions[type]
  const isCurrent = v === undefined || recorded.v > v || (recorded.v === v && recorded.type === type)
  return isCurrent ? (recorded as RecordedFact) : { ...readFact(recorded), v }
}

/**
 * Passes on the facts of these types, with typed data. Old versions are upcast.
 *
 * @example
 * orchestrator.events().pipe(ofType('CallSucceeded')).subscribe(({ data }) => console.log(data.costUsd))
 */
export function ofType<T extends FactType>(
  ...types: readonly [T, ...T[]]
): OperatorFunction<Recorded, RecordedFact<T>> {
  return (facts) =>
    facts.pipe(
      filter((recorded) => isOfType(recorded, types)),
      map(readFact<T>),
    )
}

const isOfType = (recorded: Recorded, types: readonly string[]) => {
  const kind = kindOf(recorded.stream)
  return kind !== undefined && types.includes(kind.facts.typeOf(recorded))
}

/** Throws UnknownFactError for a fact that a newer version of this package wrote. */
function readFact<T extends FactType>(recorded: Recorded): RecordedFact<T> {
  const read = kindOf(recorded.stream)?.facts.read(recorded) as KnownFact | undefined
  return { ...recorded, ...(read && { type: read.type, data: read.data }) } as RecordedFact<T>
}
