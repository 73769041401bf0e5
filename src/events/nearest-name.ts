/** What was probably meant by a name that is not known. */
import { closest, distance } from 'fastest-levenshtein'

/** The known name that is a slip of the finger away; null where none is. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const nearest = known.length > 0 ? closest(name, known) : null
  return nearest !== null && distance(name, nearest) <= Math.max(3, name.length / 3) ? nearest : null
}

/** A hint for an error: the name that was probably meant, or all that there are. */
export function nameHint(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)
  return nearest === null ? `Choose one of: ${known.join(', ')}.` : `Did you mean "${nearest}"?`
}
