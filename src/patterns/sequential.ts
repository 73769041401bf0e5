/** One after another: each step works on what the one before it gave. */
import { concatMap, type Observable, toArray } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, type Ask, joinAnswers, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkSteps } from './steps.ts'

/** Options of `sequential`. */
export interface SequentialOptions {
  /** Makes the next step's prompt from what the last one gave. Default: the task, followed by that. */
  readonly transform?: (text: string, context: { readonly task: TaskInput; readonly step: number }) => string
}

/**
 * @example
 * orchestrator.run(sequential(['researcher', 'analyst', 'writer']), 'tidal energy')
 */
export function sequential(
  steps: readonly Step[],
  { transform = continueTask }: SequentialOptions = {},
): Pattern {
  checkSteps('sequential', steps)
  return patternOf(steps, (ask, task) => from(ask, steps, transform, task, task, 0))
}

function from(
  ask: Ask,
  steps: readonly Step[],
  transform: NonNullable<SequentialOptions['transform']>,
  task: TaskInput,
  input: TaskInput,
  index: number,
): Observable<Answer> {
  const answers = runStep(ask, steps[index] as Step, input)
  if (index === steps.length - 1) return answers
  return answers.pipe(
    toArray(),
    concatMap((given) => {
      const prompt = transform(joinAnswers(given), { task, step: index + 1 })
      return from(ask, steps, transform, task, { prompt }, index + 1)
    }),
  )
}

const continueTask = (text: string, { task }: { readonly task: TaskInput }) =>
  `${task.prompt}\n\nThis is what was done so far:\n\n${text}`
