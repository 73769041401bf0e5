/** What is reported of a run while it works, step by step. */

/** The progress of one step of a run. */
export interface StepEvent {
  readonly stepKey: string
  /** The number of the ask in this execution, from 1. */
  readonly ask: number
  readonly agent: string
  /** `held`: it waits for approval, or for room in a budget; `released`: it continues. `reused`: answered from the log. */
  readonly state: 'scheduled' | 'held' | 'released' | 'reused' | 'succeeded' | 'failed' | 'cancelled'
  readonly costUsd: number
  readonly tokens: number
  /** The answer; null if there is none yet. */
  readonly text: string | null
  /** Why it is held, or why it failed. */
  readonly problem: string | null
}

/** The steps of a run that have not ended, and which of them are held. */
export class OpenSteps {
  readonly #open = new Set<number>()
  readonly #held = new Map<number, string>()

  note({ ask, state, problem }: StepEvent): void {
    if (state === 'scheduled') this.#open.add(ask)
    else if (state !== 'held' && state !== 'released') this.#open.delete(ask)
    if (state === 'held') this.#held.set(ask, problem ?? '')
    else this.#held.delete(ask)
  }

  /** Whether there are some, and all of them are held. */
  get areHeld(): boolean {
    return this.#held.size > 0 && this.#held.size === this.#open.size
  }

  /** Why they are held. */
  get problems(): readonly string[] {
    return [...this.#held.values()]
  }
}
