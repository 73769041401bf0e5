/** The fact behind a reply or an error, so that whatever follows from it can be recorded as caused by that fact. */

const facts = new WeakMap<object, string>()

/** Remembers the fact that recorded an outcome. Returns the outcome. */
export function standingFor<Outcome>(outcome: Outcome, factId: string | undefined): Outcome {
  if (typeof outcome === 'object' && outcome !== null && factId !== undefined) facts.set(outcome, factId)
  return outcome
}

/** The id of the fact; undefined if the outcome is in no log. */
export const factOf = (outcome: unknown): string | undefined =>
  typeof outcome === 'object' && outcome !== null ? facts.get(outcome) : undefined
