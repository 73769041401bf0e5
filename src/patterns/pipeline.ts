/** A chain of transformations: each stage works on the output of the one before. */
import { map, type Observable } from 'rxjs'
import { checkArgument } from '../events/options/decoding.ts'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, joined } from './answers.ts'
import { type Ask, type Pattern, patternOf, runStep, type Step, type StepOptions } from './pattern.ts'
import { checkSteps } from './steps.ts'
import { askInForm, type OutputForm } from './structured-output.ts'
import { inTurn, type Turn } from './turns.ts'

/** One stage of a pipeline: who works on it, with which prompt, and what it passes on. */
export interface Stage {
  readonly agent: Step
  /** The prompt, in which `{{input}}` stands for the stage's input. Default: the input alone. */
  readonly prompt?: string
  /** The form of the answer, which is passed on as JSON. An invalid answer is asked for once more, then fails the run. */
  readonly output?: OutputForm
  /** Turns the answer into what is passed on. Throwing fails the run. */
  readonly parse?: (text: string) => string
  /** Throws for an answer that is not acceptable, which fails the run. */
  readonly check?: (text: string) => void
}

/**
 * Passes the task through stages, each working on the output of the one before.
 *
 * @example
 * orchestrator.run(pipeline([{ agent: 'extractor' }, { agent: 'reporter', prompt: 'Report on: {{input}}' }]), rawData)
 */
export function pipeline(stages: readonly Stage[]): Pattern {
  checkArgument('The stages of pipeline', stages, 'a list')
  checkSteps(
    'pipeline',
    stages.map(({ agent }) => agent),
  )
  return patternOf(
    stages.map(({ agent }) => agent),
    (ask, task) => {
      const turn = (index: number, input: TaskInput, from: readonly Answer[]): Turn => {
        const part = runStage(ask, stages[index] as Stage, input, { from })
        if (index + 1 === stages.length) return { part }
        return { part, next: (answer) => turn(index + 1, { prompt: answer.text }, [answer]) }
      }
      return inTurn(turn(0, task, []))
    },
  )
}

function runStage(
  ask: Ask,
  { agent, prompt, output, parse = (text) => text, check }: Stage,
  task: TaskInput,
  options: StepOptions,
): Observable<Answer> {
  const input =
    prompt === undefined ? task : { ...task, prompt: prompt.replaceAll('{{input}}', () => task.prompt) }
  const given =
    output === undefined ? runStep(ask, agent, input, options) : askInForm(ask, agent, input, output, options)
  return joined(given).pipe(
    map((answer) => {
      if (answer.error !== undefined) return answer
      check?.(answer.text)
      return { ...answer, text: parse(answer.text) }
    }),
  )
}
