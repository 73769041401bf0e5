/** Suggests the name that was probably meant by an unknown one. */
import { closest, distance } from 'fastest-levenshtein'

/** The known name that is only a typo away; null if there is none. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const nearest = known.length > 0 ? closest(name, known) : null
  return nearest !== null && distance(name, nearest) <= Math.max(3, name.length / 3) ? nearest : null
}

/** A hint for an error: the name that was probably meant, or all known names. */
export function nameHint(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)
  return nearest === null ? `Choose one of: ${known.join(', ')}.` : `Did you mean "${nearest}"?`
}
