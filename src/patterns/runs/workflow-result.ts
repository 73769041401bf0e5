/** The result of a workflow, collected from the progress of its steps. */
import type { StepError } from '../../events/run-facts.ts'
import type { RecordedStep } from './recorded-steps.ts'
import type { StepEvent } from './step-event.ts'

/** The result of a workflow. */
export interface WorkflowResult {
  readonly pattern: string
  /** The agents that were asked, in the order of their first asks. */
  readonly agents: readonly string[]
  /** The answer of each agent to its last ask. */
  readonly results: Readonly<Record<string, string>>
  readonly metadata: {
    readonly runId: string
    readonly finalOutput: string
    readonly costUsd: number
    /** How many steps it took, and how many of them were answered from the log. */
    readonly steps: number
    readonly reused: number
  }
  readonly success: boolean
  readonly errors: readonly StepError[]
}

/** The result of a run so far, from the events of its steps. */
export class Progress {
  /** The answer to the last ask of each agent, no matter in which order the answers come. */
  readonly #results = new Map<string, { readonly ask: number; readonly text: string }>()
  readonly #agents = new Set<string>()
  readonly #open = new Set<number>()
  readonly #held = new Set<number>()
  #steps = 0
  #reused = 0
  #costUsd = 0

  note({ agent, ask, state, text, costUsd }: StepEvent): void {
    this.#agents.add(agent)
    if (state === 'scheduled') this.#open.add(ask)
    else if (state !== 'held' && state !== 'released') this.#open.delete(ask)
    if (state === 'held') this.#held.add(ask)
    else this.#held.delete(ask)
    if (state === 'scheduled' || state === 'reused') this.#steps++
    if (state === 'reused') this.#reused++
    if (text !== null && ask >= (this.#results.get(agent)?.ask ?? 0)) this.#results.set(agent, { ask, text })
    this.#costUsd += costUsd
  }

  /** Whether all open steps are held. */
  get isHeld(): boolean {
    return this.#held.size > 0 && this.#held.size === this.#open.size
  }

  result(runId: string, pattern: string, finalOutput: string, errors: readonly StepError[]): WorkflowResult {
    return {
      pattern,
      agents: [...this.#agents],
      results: Object.fromEntries([...this.#results].map(([agent, { text }]) => [agent, text])),
      metadata: { runId, finalOutput, costUsd: this.#costUsd, steps: this.#steps, reused: this.#reused },
      success: errors.length === 0,
      errors,
    }
  }
}

/** The result of a succeeded run, from the log alone. */
export function recordedResult(
  runId: string,
  name: string,
  finalOutput: string,
  steps: ReadonlyMap<string, RecordedStep>,
  texts: ReadonlyMap<string, string>,
): WorkflowResult {
  const progress = new Progress()
  for (const [index, step] of [...steps.values()].entries()) {
    if (step.state !== 'succeeded') continue
    progress.note({ ...step, ask: index + 1, state: 'reused', text: texts.get(step.stepKey) ?? null })
  }
  return progress.result(runId, name, finalOutput, [])
}
