/** The first accepted answer wins, and the other steps are cancelled. */
import { catchError, concat, defer, EMPTY, filter, from, mergeMap, of, take, throwError } from 'rxjs'
import { NoAnswerAcceptedError } from '../events/errors/run.ts'
import { type Answer, joined, missingFrom } from './answers.ts'
import { type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkSteps } from './steps.ts'

/** Options of `race`. */
export interface RaceOptions {
  /** Whether an answer is accepted. Default: every answer is. */
  readonly accept?: (answer: Answer) => boolean
}

/**
 * Runs several steps at once and answers with the first accepted answer. One from which a part is missing wins only if
 * no whole one is accepted. Fails only if all steps fail, with the last failure.
 *
 * @example
 * orchestrator.run(race(['fast', 'thorough']), 'What is 6 times 7?')
 */
export function race(steps: readonly Step[], { accept = () => true }: RaceOptions = {}): Pattern {
  checkSteps('race', steps)
  return patternOf(steps, (ask, task) => {
    let partial: Answer | undefined
    let failed: Answer | undefined
    let last: unknown = new NoAnswerAcceptedError({ steps: steps.length })
    const isWhole = (answer: Answer) => {
      if (missingFrom([answer]).length === 0) return accept(answer)
      if (answer.error !== undefined) failed = answer
      else if (accept(answer)) partial ??= answer
      return false
    }
    const whole = from(steps).pipe(
      mergeMap((step) =>
        (typeof step === 'function' ? joined(runStep(ask, step, task)) : ask(step, task)).pipe(
          catchError((error) => {
            last = error
            return EMPTY
          }),
        ),
      ),
      filter(isWhole),
    )
    const otherwise = defer(() => {
      const answer = partial ?? failed
      return answer === undefined ? throwError(() => last) : of(answer)
    })
    return concat(whole, otherwise).pipe(take(1))
  })
}
