/** Which fact a reply or an error stands for, so that what follows from it can be recorded as caused by it. */

const facts = new WeakMap<object, string>()

/** Returns the outcome. */
export function standingFor<Outcome>(outcome: Outcome, factId: string | undefined): Outcome {
  if (typeof outcome === 'object' && outcome !== null && factId !== undefined) facts.set(outcome, factId)
  return outcome
}

/** The id of the fact; undefined where the outcome is in no log. */
export const factOf = (outcome: unknown): string | undefined =>
  typeof outcome === 'object' && outcome !== null ? facts.get(outcome) : undefined
