/** What is told of a run that moves from worker to worker: each of them tells of it from the beginning, and its reader hears it once. */
import type { StepEvent } from '../patterns/runs/step-event.ts'
import type { RunLine } from '../remote/run.ts'

const ENDED: ReadonlySet<StepEvent['state']> = new Set(['reused', 'succeeded', 'failed', 'cancelled'])

export class ToldSteps {
  /** By their keys: what was last told of them. */
  readonly #told = new Map<string, StepEvent>()
  #begins = 0
  #lastAsk = 0

  /** The line as it is told; undefined if it is known. */
  next(line: RunLine): RunLine | undefined {
    if ('begun' in line) return this.#begins++ === 0 ? line : undefined
    if (!('step' in line)) return line
    const { step } = line
    const known = this.#told.get(step.stepKey)
    const state = stateOf(step, known)
    if (state === undefined) return undefined
    const ask = known?.ask ?? (this.#begins > 1 ? this.#lastAsk + 1 : step.ask)
    this.#lastAsk = Math.max(this.#lastAsk, ask)
    const told = { ...step, state, ask }
    this.#told.set(step.stepKey, told)
    return { step: told }
  }
}

/** A step that was asked in one worker is answered from the log in the next one: for its reader, it has succeeded. */
function stateOf({ state }: StepEvent, known: StepEvent | undefined): StepEvent['state'] | undefined {
  if (!known) return state
  if (state === 'reused')
    return known.state === 'succeeded' || known.state === 'reused' ? undefined : 'succeeded'
  if (state === 'scheduled') return ENDED.has(known.state) ? state : undefined
  if (state === known.state) return undefined
  return state
}
