/** A step that somebody must say yes to first. */
import { type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkStep } from './steps.ts'

/** Options of `approved`. */
export interface ApprovedOptions {
  /** Why, for whoever is to decide. */
  readonly reason?: string
}

/**
 * Every ask of the step is held until it is approved (`orchestrator.approve`, `claude-agents agent approve`). The run waits,
 * and can be closed and resumed meanwhile; what was answered before is not asked again. A step that is rejected has failed.
 *
 * @example
 * sequential(['planner', approved('publisher', { reason: 'it goes to customers' })])
 */
export function approved(step: Step, { reason }: ApprovedOptions = {}): Pattern {
  checkStep('approved', step)
  return patternOf([step], (ask, task) => runStep(ask, step, task, { approval: reason ?? true }))
}
