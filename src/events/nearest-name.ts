/** Suggests the name that was probably meant by an unknown one. */
import { closest, distance } from 'fastest-levenshtein'

/** In characters: a shorter beginning may be that of another name. */
const SHORTEST_BEGINNING = 4

/** The known name that is only a typo away, or the only one that begins like this; null if there is none. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const [begun, ...others] = known.filter((one) => one.startsWith(name))
  if (begun !== undefined && others.length === 0 && name.length >= SHORTEST_BEGINNING) return begun
  const nearest = known.length > 0 ? closest(name, known) : null
  if (nearest === null) return null
  const typos = distance(name, nearest)
  const length = Math.max(name.length, nearest.length)
  // Of names that have less than half in common, none was meant.
  const isTypo =
    typos <= Math.max(3, name.length / 3) &&
    (typos <= length / 2 || isSlipOf(name, nearest)) &&
    typos < Math.min(name.length, nearest.length)
  return isTypo ? nearest : null
}

/** Whether a word is another one with a letter too many, too few, wrong, or in the place of its neighbour. */
export function isSlipOf(word: string, name: string): boolean {
  const letters = (text: string) => [...text].sort().join('')
  const typos = distance(word, name)
  return typos === 1 || (typos === 2 && letters(word) === letters(name))
}

/** A hint for an error: the name that was probably meant, or all known names. */
export function nameHint(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)
  return nearest === null ? `Choose one of: ${known.join(', ')}.` : `Did you mean "${nearest}"?`
}
