/** One step after another: each works on the answer of the one before. */
import type { TaskInput } from '../events/task-input.ts'
import type { Answer } from './answers.ts'
import { type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkSteps } from './steps.ts'
import { inTurn, type Turn } from './turns.ts'

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
  return patternOf(steps, (ask, task) => {
    const turn = (index: number, input: TaskInput, from: readonly Answer[]): Turn => {
      const part = runStep(ask, steps[index] as Step, input, { from })
      const step = index + 1
      if (step === steps.length) return { part }
      const next = (answer: Answer) =>
        turn(step, { prompt: transform(answer.text, { task, step }) }, [answer])
      return { part, next }
    }
    return inTurn(turn(0, task, []))
  })
}

const continueTask = (text: string, { task }: { readonly task: TaskInput }) =>
  `${task.prompt}\n\nThis is what was done so far:\n\n${text}`
