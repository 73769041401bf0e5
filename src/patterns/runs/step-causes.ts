/**
 * What led to each ask of a run, so that the log can explain it later.
 *
 * The answers that an ask was made from come with it (`StepOptions.from`). For one of a pattern that does not say, it is
 * the answer that the pattern is being handed, else the last one if no other ask is open, else the beginning of the
 * execution.
 */
import { type Answer, madeOf } from '../answers.ts'

/** Why a fact of a run was recorded, as ids of facts. */
export interface Causes {
  readonly causationId: string
  /** The answers that it was made from; no field if there are none. */
  readonly uses: { readonly uses?: readonly string[] }
}

/** The causes of the asks of one execution. */
export class StepCauses {
  /** The fact that began this execution. */
  readonly #begun: string
  /** The outcome that is being handed to the pattern right now. */
  #current: string | undefined
  /** The outcome that was handed over last. */
  #last: string | undefined
  #openAsks = 0

  constructor(begun: string) {
    this.#begun = begun
  }

  /** Begins an ask. Returns the outcome that led to it; undefined if only the ask can tell. */
  begin(): string | undefined {
    const leading = this.#current ?? (this.#openAsks === 0 ? this.#last : undefined)
    this.#openAsks++
    return leading
  }

  /** Hands over the outcome of an ask; it causes what the pattern asks meanwhile. A cancelled ask hands over nothing. */
  end(factId: string | undefined, handOver = () => {}): void {
    this.#openAsks--
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
  of(from: readonly Answer[], leading: string | undefined): Causes {
    const { facts: uses } = madeOf(from)
    return { causationId: uses?.at(-1) ?? leading ?? this.#begun, uses: uses === undefined ? {} : { uses } }
  }

  /** The outcome that was handed over last. */
  get last(): string | undefined {
    return this.#last
  }
}
