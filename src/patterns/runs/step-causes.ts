/**
 * What led to each ask of a run, so that the log can explain it later.
 *
 * A pattern is a black box of streams. The cause of an ask is the answer that the pattern is being handed, else the last
 * answer if no other ask is open, else an answer that the text of the ask quotes, else the beginning of the execution.
 */

/** Why a fact of a run was recorded, as ids of facts. */
export interface Causes {
  readonly causationId: string
  /** The answers that its text quotes; no field if there are none. */
  readonly uses: { readonly uses?: readonly string[] }
}

/** The causes of the asks of one execution. */
export class StepCauses {
  /** The fact that began this execution. */
  readonly #begun: string
  readonly #given = new GivenAnswers()
  /** The outcome that is being handed to the pattern right now. */
  #current: string | undefined
  /** The outcome that was handed over last. */
  #last: string | undefined
  #openAsks = 0

  constructor(begun: string) {
    this.#begun = begun
  }

  /** Begins an ask. Returns the outcome that led to it; undefined if only its text can tell. */
  begin(): string | undefined {
    const leading = this.#current ?? (this.#openAsks === 0 ? this.#last : undefined)
    this.#openAsks++
    return leading
  }

  /** Hands over the outcome of an ask; it causes what the pattern asks meanwhile. A cancelled ask hands over nothing. */
  end(outcome: { readonly factId: string | undefined; readonly text?: string }, handOver = () => {}): void {
    this.#openAsks--
    const { factId, text } = outcome
    if (factId !== undefined && text !== undefined) this.#given.add(factId, text)
    const before = this.#current
    this.#current = factId
    this.#last = factId ?? this.#last
    try {
      handOver()
    } finally {
      this.#current = before
    }
  }

  /** @param leading The result of `begin`; at the end of the run, the last outcome. */
  of(texts: readonly (string | undefined)[], leading: string | undefined): Causes {
    const uses = this.#given.usedIn(texts, leading)
    return {
      causationId: leading ?? uses.at(-1) ?? this.#begun,
      uses: uses.length === 0 ? {} : { uses },
    }
  }

  /** The outcome that was handed over last. */
  get last(): string | undefined {
    return this.#last
  }
}

interface GivenAnswer {
  /** The fact that holds it. */
  readonly factId: string
  readonly ordinal: number
  readonly text: string
}

/** Finds the answers that a text quotes. Answers are kept by their text, so that equal ones are searched for once. */
export class GivenAnswers {
  readonly #byText = new Map<string, GivenAnswer[]>()
  readonly #byId = new Map<string, GivenAnswer>()
  #count = 0

  add(factId: string, text: string): void {
    const trimmed = text.trim()
    if (trimmed === '') return
    const given = { factId, ordinal: this.#count++, text: trimmed }
    this.#byId.set(factId, given)
    const equal = this.#byText.get(trimmed)
    if (equal) equal.push(given)
    else this.#byText.set(trimmed, [given])
  }

  /**
   * The ids of the answers that one of the texts quotes, as whole words, in the order in which they were given. Of several
   * equal answers, at most as many are returned as the texts contain: the likely one, and the latest.
   */
  usedIn(texts: readonly (string | undefined)[], likely?: string): readonly string[] {
    const searched = texts.filter((text) => text !== undefined)
    const preferred = likely === undefined ? undefined : this.#byId.get(likely)
    const used: GivenAnswer[] = []
    for (const [text, equal] of this.#byText) {
      const times = searched.reduce((sum, whole) => sum + occurrences(whole, text, equal.length), 0)
      if (times > 0) used.push(...mostLikely(equal, times, preferred?.text === text ? preferred : undefined))
    }
    return used.sort((one, other) => one.ordinal - other.ordinal).map(({ factId }) => factId)
  }
}

/** The latest of equal answers, and the preferred one. Looks at no more than `times` of them: there may be thousands. */
function mostLikely(
  equal: readonly GivenAnswer[],
  times: number,
  preferred: GivenAnswer | undefined,
): readonly GivenAnswer[] {
  const latest = equal.slice(-times)
  if (preferred === undefined || latest.includes(preferred)) return latest
  return [preferred, ...latest.slice(1)]
}

function occurrences(whole: string, part: string, most: number): number {
  let count = 0
  for (let at = whole.indexOf(part); at >= 0 && count < most; at = whole.indexOf(part, at + 1)) {
    // "24" does not quote the answer "4".
    if (!isInsideWord(whole[at - 1], part[0]) && !isInsideWord(part.at(-1), whole[at + part.length])) count++
  }
  return count
}

const LETTER = /[\p{L}\p{N}]/u
const isInsideWord = (before: string | undefined, after: string | undefined) =>
  before !== undefined && after !== undefined && LETTER.test(before) && LETTER.test(after)
