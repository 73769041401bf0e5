/** Which answers a text is made of: what flows from step to step of a workflow is text, so it can be found in it. */

/** An answer that the workflow was given. */
export interface GivenAnswer {
  /** Of the fact that holds it. */
  readonly factId: string
  readonly text: string
}

/** The ids of the answers that stand, as whole words, in one of the texts. In the order in which they were given. */
export function usedAnswers(
  given: readonly GivenAnswer[],
  texts: readonly (string | undefined)[],
): readonly string[] {
  const found = given.filter(({ text }) => texts.some((whole) => whole !== undefined && holds(whole, text)))
  return [...new Set(found.map(({ factId }) => factId))]
}

function holds(whole: string, answer: string): boolean {
  const part = answer.trim()
  if (part === '' || part.length > whole.length) return false
  for (let at = whole.indexOf(part); at >= 0; at = whole.indexOf(part, at + 1)) {
    // A "4" is not what "24" was made of.
    if (!isWord(whole[at - 1], part[0]) && !isWord(part.at(-1), whole[at + part.length])) return true
  }
  return false
}

const LETTER = /[\p{L}\p{N}]/u
const isWord = (before: string | undefined, after: string | undefined) =>
  before !== undefined && after !== undefined && LETTER.test(before) && LETTER.test(after)
