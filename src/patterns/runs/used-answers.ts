/** Which answers a text is made of: what flows from step to step of a workflow is text, so it can be found in it. */

/** An answer that the workflow was given. */
interface GivenAnswer {
  /** Of the fact that holds it. */
  readonly factId: string
  readonly ordinal: number
  readonly text: string
}

/** The answers that a workflow was given so far, by their texts: many may read the same, and are looked for once. */
export class GivenAnswers {
  readonly #byText = new Map<string, GivenAnswer[]>()
  readonly #byId = new Map<string, GivenAnswer>()
  #count = 0

  add(factId: string, text: string): void {
    const part = text.trim()
    if (part === '') return
    const given = { factId, ordinal: this.#count++, text: part }
    this.#byId.set(factId, given)
    const same = this.#byText.get(part)
    if (same) same.push(given)
    else this.#byText.set(part, [given])
  }

  /**
   * The ids of the answers that stand, as whole words, in one of the texts, in the order in which they were given. Of those
   * that read the same no more count than there are in the texts: the one that probably was meant, and the latest.
   */
  usedIn(texts: readonly (string | undefined)[], probable?: string): readonly string[] {
    const wholes = texts.filter((text) => text !== undefined)
    const meant = probable === undefined ? undefined : this.#byId.get(probable)
    const used: GivenAnswer[] = []
    for (const [part, same] of this.#byText) {
      const times = wholes.reduce((sum, whole) => sum + occurrences(whole, part, same.length), 0)
      if (times > 0) used.push(...mostLikely(same, times, meant?.text === part ? meant : undefined))
    }
    return used.sort((one, other) => one.ordinal - other.ordinal).map(({ factId }) => factId)
  }
}

/** So many of answers that read the same. Looks at no more of them: there may be thousands. */
function mostLikely(
  same: readonly GivenAnswer[],
  times: number,
  meant: GivenAnswer | undefined,
): readonly GivenAnswer[] {
  const latest = same.slice(-times)
  if (meant === undefined || latest.includes(meant)) return latest
  return [meant, ...latest.slice(1)]
}

function occurrences(whole: string, part: string, most: number): number {
  let count = 0
  for (let at = whole.indexOf(part); at >= 0 && count < most; at = whole.indexOf(part, at + 1)) {
    // A "4" is not what "24" was made of.
    if (!isWord(whole[at - 1], part[0]) && !isWord(part.at(-1), whole[at + part.length])) count++
  }
  return count
}

const LETTER = /[\p{L}\p{N}]/u
const isWord = (before: string | undefined, after: string | undefined) =>
  before !== undefined && after !== undefined && LETTER.test(before) && LETTER.test(after)
