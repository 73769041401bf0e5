/** One step after another: each works on the answer of the one before. */
import { concatMap, type Observable } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, type Ask, joined, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkSteps } from './steps.ts'

/** Options of `sequential`. */
export interface SequentialOptions {
  /** Makes the prompt of the next step from the last answer. Default: the task, followed by the last answer. */
  readonly transform?: (text: string, context: { readonly task: TaskInput; readonly step: number }) => string
}

/**
 * Runs steps one after another.
 *
 * @example
 * orchestrator.run(sequential(['researcher', 'analyst', 'writer']), 'tidal energy')
 */
export function sequential(
  steps: readonly Step[],
  { transform = continueTask }: SequentialOptions = {},
): Pattern {
  checkSteps('sequential', steps)
  return patternOf(steps, (ask, task) => stepsFrom(ask, steps, transform, task, task, 0))
}

/** The steps from this index on. */
function stepsFrom(
  ask: Ask,
  steps: readonly Step[],
  transform: NonNullable<SequentialOptions['transform']>,
  task: TaskInput,
  input: TaskInput,
  index: number,
): Observable<Answer> {
  const answers = runStep(ask, steps[index] as Step, input)
  if (index === steps.length - 1) return answers
  return joined(answers).pipe(
    concatMap(({ text }) => {
      const prompt = transform(text, { task, step: index + 1 })
      return stepsFrom(ask, steps, transform, task, { prompt }, index + 1)
    }),
  )
}

const continueTask = (text: string, { task }: { readonly task: TaskInput }) =>
  `${task.prompt}\n\nThis is what was done so far:\n\n${text}`
