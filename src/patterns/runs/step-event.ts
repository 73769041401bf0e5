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
