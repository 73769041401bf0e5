/** Facts as their types have them: what is read from the log is JSON of some version, what comes out here is of today's. */
import { filter, map, type OperatorFunction } from 'rxjs'
import type { AgentFact } from '../events/agent-facts.ts'
import type { BudgetFact } from '../events/budget-facts.ts'
import type { Recorded } from '../events/envelope.ts'
import type { RunFact } from '../events/run-facts.ts'
import type { SupervisorFact } from '../events/supervisor-facts.ts'
import { kindOf } from './kinds.ts'

/** Every fact that this package writes. */
export type KnownFact = AgentFact | RunFact | SupervisorFact | BudgetFact
/** The name of a type of fact that this package writes. */
export type FactType = KnownFact['type']

/** A fact in the log whose data has the form of its type. */
export type RecordedFact<T extends FactType = FactType> = T extends FactType
  ? Omit<Recorded, 'type' | 'data'> & Extract<KnownFact, { type: T }>
  : never

/**
 * Lets through facts of these types, with their data typed, and old versions brought to today's form.
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

const isOfType = ({ stream, type }: Recorded, types: readonly string[]) =>
  types.includes(type) && kindOf(stream) !== undefined

/** Throws UnknownFactError for one that a newer version wrote. */
function readFact<T extends FactType>(recorded: Recorded): RecordedFact<T> {
  const read = kindOf(recorded.stream)?.facts.read(recorded) as KnownFact | undefined
  return { ...recorded, ...(read && { data: read.data }) } as RecordedFact<T>
}
