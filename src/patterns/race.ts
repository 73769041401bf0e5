/** The first accepted answer wins, and the other steps are cancelled. */
import { catchError, EMPTY, filter, from, mergeMap, take, throwIfEmpty } from 'rxjs'
import { NoAnswerAcceptedError } from '../events/errors/run.ts'
import { type Answer, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkSteps } from './steps.ts'

/** Options of `race`. */
export interface RaceOptions {
  /** Whether an answer is accepted. Default: every answer is. */
  readonly accept?: (answer: Answer) => boolean
}

/**
 * Runs several steps at once and answers with the first accepted answer. Fails only if all steps fail, with the last
 * failure.
 *
 * @example
 * orchestrator.run(race(['fast', 'thorough']), 'What is 6 times 7?')
 */
export function race(steps: readonly Step[], { accept = () => true }: RaceOptions = {}): Pattern {
  checkSteps('race', steps)
  return patternOf(steps, (ask, task) => {
    let last: unknown = new NoAnswerAcceptedError({ steps: steps.length })
    return from(steps).pipe(
      mergeMap((step) =>
        runStep(ask, step, task).pipe(
          catchError((error) => {
            last = error
            return EMPTY
          }),
        ),
      ),
      filter((answer) => answer.error === undefined && accept(answer)),
      take(1),
      throwIfEmpty(() => last),
    )
  })
}
