/** A step that waits for a person's approval. */
import { type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkStep } from './steps.ts'

/** Options of `approved`. */
export interface ApprovedOptions {
  /** Why approval is needed; shown to the person who decides. */
  readonly reason?: string
}

/**
 * Holds every ask of the step until it is approved (`orchestrator.approve`, `claude-agents agent approve`). The run waits,
 * and can be closed and resumed in the meantime; earlier answers are not asked for again. A rejected step fails.
 *
 * @example
 * sequential(['planner', approved('publisher', { reason: 'it goes to customers' })])
 */
export function approved(step: Step, { reason }: ApprovedOptions = {}): Pattern {
  checkStep('approved', step)
  return patternOf([step], (ask, task) => runStep(ask, step, task, { approval: reason ?? true }))
}
