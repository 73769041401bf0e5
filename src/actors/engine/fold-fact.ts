/** One step of a fold: a recorded fact is read, and the state sees it. An error names the fact. */
import type { EventObject } from 'xstate'
import type { FactCatalog } from '../../events/catalog.ts'
import type { Fact, Recorded } from '../../events/envelope.ts'
import { UnreadableFactError } from '../../events/errors/fact.ts'

/**
 * The state after a fact; undefined if the state does not expect it.
 *
 * @throws UnknownFactError, UnreadableFactError
 */
export function foldFact<State, Next>(
  transition: (state: State, fact: EventObject) => Next,
  state: State,
  facts: Pick<FactCatalog<Fact<string, unknown>>, 'read'>,
  recorded: Recorded,
): Next {
  const fact = facts.read(recorded)
  try {
    return transition(state, fact)
  } catch (cause) {
    const { stream, version, type } = recorded
    throw new UnreadableFactError(
      { stream, version, type, step: 'folded', problem: problemOf(cause) },
      { cause },
    )
  }
}

const problemOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))
