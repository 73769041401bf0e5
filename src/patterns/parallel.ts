/** Several steps at once on the same task; the answers come in the order of the steps. */
import { catchError, mergeMap, of } from 'rxjs'
import { type Answer, lostWith, stepError } from './answers.ts'
import { type Pattern, patternOf, runStep, type Step, stepName } from './pattern.ts'
import { checkCount, checkSteps, refuseTwice } from './steps.ts'
import { sideBySide } from './turns.ts'

/** Options of `parallel`. */
export interface ParallelOptions {
  /** How many steps run at the same time. Default: all. */
  readonly concurrency?: number
  /**
   * What happens when a step fails: `collect` (the default) keeps the answers of the others and reports the failure;
   * `fail` fails the whole pattern and cancels the others.
   */
  readonly onError?: 'collect' | 'fail'
}

/**
 * Runs several steps at once on the same task.
 *
 * @example
 * orchestrator.run(parallel(['security', 'performance'], { concurrency: 2 }), 'Review src/login.ts')
 */
export function parallel(
  steps: readonly Step[],
  { concurrency = Number.POSITIVE_INFINITY, onError = 'collect' }: ParallelOptions = {},
): Pattern {
  checkSteps('parallel', steps)
  refuseTwice('parallel', steps)
  checkCount('concurrency', concurrency)
  return patternOf(steps, (ask, task) => {
    const run = (step: Step) => {
      const answers = runStep(ask, step, task)
      return onError === 'fail' ? answers : answers.pipe(catchError((error) => of(failed(step, error))))
    }
    return sideBySide(steps, run, concurrency).pipe(mergeMap((answers) => answers.flat()))
  })
}

function failed(step: Step, error: unknown): Answer {
  const agent = stepName(step)
  const { code, message } = stepError(agent, error)
  return { agent, text: '', error: { code, message }, missing: lostWith(error) ?? [{ agent, code, message }] }
}
