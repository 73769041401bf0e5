/** All at once on the same task; the answers come in the order of the steps. */
import { catchError, from, map, mergeMap, of, toArray } from 'rxjs'
import { describeError } from '../events/errors/base.ts'
import { type Answer, type Pattern, patternOf, runStep, type Step, stepName } from './pattern.ts'
import { checkCount, checkSteps, refuseTwice } from './steps.ts'

/** Options of `parallel`. */
export interface ParallelOptions {
  /** How many work at the same time. Default: all. */
  readonly concurrency?: number
  /** What the failure of one does: `collect` (the default) keeps the answers of the others and says what failed;
   * `fail` fails the whole, and cancels the others. */
  readonly onError?: 'collect' | 'fail'
}

/**
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
  return patternOf(steps, (ask, task) =>
    from(steps).pipe(
      mergeMap((step, index) => {
        const answers = runStep(ask, step, task)
        const kept =
          onError === 'fail' ? answers : answers.pipe(catchError((error) => of(failed(step, error))))
        return kept.pipe(
          toArray(),
          map((list) => ({ index, list })),
        )
      }, concurrency),
      toArray(),
      mergeMap((all) => all.sort((one, other) => one.index - other.index).flatMap(({ list }) => list)),
    ),
  )
}

function failed(step: Step, error: unknown): Answer {
  const { code, message } = describeError(error)
  return { agent: stepName(step), text: '', error: { code, message } }
}
