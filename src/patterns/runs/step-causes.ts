/** What led to each ask of an execution, for those who look at the log later: the answers before it. */
import { GivenAnswers } from './used-answers.ts'

/** Why a fact of a run is recorded, by the ids of facts. */
export interface Causes {
  readonly causationId: string
  /** The answers whose text is part of it. */
  readonly uses: { readonly uses?: readonly string[] }
}

/**
 * A pattern is a black box of streams. But it asks while it is given an answer, or it makes the text of an answer part of
 * what it asks, or nothing else is under way: whatever holds first says what led to the ask.
 */
export class StepCauses {
  /** Of the fact with which this execution began. */
  readonly #begun: string
  readonly #given = new GivenAnswers()
  /** The outcome that is being handed over just now. */
  #handing: string | undefined
  /** The one that was handed over last. */
  #last: string | undefined
  #open = 0

  constructor(begun: string) {
    this.#begun = begun
  }

  /** An ask begins. Returns what led to it, as far as its text does not say more. */
  begin(): string | undefined {
    const leading = this.#handing ?? (this.#open === 0 ? this.#last : undefined)
    this.#open++
    return leading
  }

  /** Hands an outcome over; what the pattern asks meanwhile is caused by it. An ask that is called off hands over nothing. */
  end(outcome: { readonly factId: string | undefined; readonly text?: string }, handOver = () => {}): void {
    this.#open--
    const { factId, text } = outcome
    if (factId !== undefined && text !== undefined) this.#given.add(factId, text)
    const before = this.#handing
    this.#handing = factId
    this.#last = factId ?? this.#last
    try {
      handOver()
    } finally {
      this.#handing = before
    }
  }

  /** @param leading What `begin` said; for the end of the run, the outcome that came last. */
  of(texts: readonly (string | undefined)[], leading: string | undefined): Causes {
    const uses = this.#given.usedIn(texts, leading)
    return {
      causationId: leading ?? uses.at(-1) ?? this.#begun,
      uses: uses.length === 0 ? {} : { uses },
    }
  }

  get last(): string | undefined {
    return this.#last
  }
}
