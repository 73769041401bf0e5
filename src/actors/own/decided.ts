/** What the `decide` of a user's own actor returns, checked: code without types, or with wrong ones, returns anything. */
import { InvalidDecisionError } from '../../events/errors/actor.ts'

/** The decision on a command: facts, possibly none, and the reply to the caller. */
export type Decided<F, R> = readonly F[] | { readonly facts?: readonly F[]; readonly reply: R }

/** Throws InvalidDecisionError. */
export function checkDecided<F, R>(
  kind: string,
  decided: Decided<F, R>,
): { readonly facts: readonly F[]; readonly reply: R | undefined } {
  const problem = problemOf(decided)
  if (problem !== null) throw new InvalidDecisionError({ kind, problem })
  if (Array.isArray(decided)) return { facts: decided, reply: undefined }
  const { facts = [], reply } = decided as Exclude<typeof decided, readonly F[]>
  return { facts, reply }
}

function problemOf(decided: unknown): string | null {
  if (decided === undefined || decided === null) return 'it returned nothing'
  if (typeof decided !== 'object') return `it returned a ${typeof decided}`
  if ('then' in decided) {
    // Its outcome is of no interest, but a rejection must not end the process.
    Promise.resolve(decided).catch(() => {})
    return 'it is asynchronous: it returned a promise'
  }
  if (Array.isArray(decided)) return problemWith(decided)
  if ('type' in decided && !('reply' in decided) && !('facts' in decided))
    return `it returned the fact ${String(decided.type)} by itself, not in a list`
  if (!('facts' in decided) && !('reply' in decided))
    return 'it returned an object with neither facts nor a reply'
  const { facts = [] } = decided as { readonly facts?: unknown }
  return Array.isArray(facts) ? problemWith(facts) : 'it returned facts that are not a list'
}

function problemWith(facts: readonly unknown[]): string | null {
  const wrong = facts.findIndex(
    (fact) => typeof (fact as { type?: unknown } | null | undefined)?.type !== 'string',
  )
  return wrong < 0 ? null : `element ${wrong} of the facts that it returned is not a fact`
}
