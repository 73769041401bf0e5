/** What is told of a run that moves from worker to worker: each of them tells of it from the beginning, and its reader hears it once. */
import type { StepEvent } from '../patterns/runs/step-event.ts'
import type { RunLine } from '../remote/run.ts'

const ENDED: ReadonlySet<StepEvent['state']> = new Set(['reused', 'succeeded', 'failed', 'cancelled'])

export class ToldSteps {
  /** By their keys: what was last told of them. */
  readonly #told = new Map<string, StepEvent>()
  #begins = 0
  #lastAsk = 0

  /** The lines that are told for one: none if it is known. */
  next(line: RunLine): readonly RunLine[] {
    if ('begun' in line) return this.#begins++ === 0 ? [line] : []
    if (!('step' in line)) return [line]
    const { step } = line
    const known = this.#told.get(step.stepKey)
    const ask = known?.ask ?? (this.#begins > 1 ? this.#lastAsk + 1 : step.ask)
    this.#lastAsk = Math.max(this.#lastAsk, ask)
    const told = this.#states(step.state, known?.state).map((state): RunLine => {
      const isOpen = state === 'scheduled'
      return { step: { ...step, state, ask, ...(isOpen && { costUsd: 0, tokens: 0, text: null }) } }
    })
    const last = told.at(-1)
    if (last && 'step' in last) this.#told.set(step.stepKey, last.step)
    return told
  }

  /** A step that was asked in one worker is answered from the log in the next one: for its reader, it has succeeded. */
  #states(state: StepEvent['state'], known: StepEvent['state'] | undefined): readonly StepEvent['state'][] {
    if (state === known) return []
    if (state === 'reused') {
      if (known === undefined) return this.#begins > 1 ? ['scheduled', 'succeeded'] : [state]
      return known === 'succeeded' ? [] : ['succeeded']
    }
    return state === 'scheduled' && known !== undefined && !ENDED.has(known) ? [] : [state]
  }
}
