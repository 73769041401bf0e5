/** A chain of transformations: each stage works on the output of the one before. */
import { concatMap, map, type Observable, of } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, type Ask, joined, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkSteps } from './steps.ts'
import { askInForm, type OutputForm } from './structured-output.ts'

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
  checkSteps(
    'pipeline',
    stages.map(({ agent }) => agent),
  )
  return patternOf(
    stages.map(({ agent }) => agent),
    (ask, task) => from(ask, stages, task),
  )
}

function from(ask: Ask, [stage, ...rest]: readonly Stage[], task: TaskInput): Observable<Answer> {
  if (!stage) return of()
  const { agent, prompt, output, parse = (text) => text, check } = stage
  const input =
    prompt === undefined ? task : { ...task, prompt: prompt.replaceAll('{{input}}', () => task.prompt) }
  const given = output === undefined ? runStep(ask, agent, input) : askInForm(ask, agent, input, output)
  const answer = joined(given).pipe(
    map((one) => {
      check?.(one.text)
      return { agent: one.agent, text: parse(one.text) }
    }),
  )
  if (rest.length === 0) return answer
  return answer.pipe(concatMap(({ text }) => from(ask, rest, { prompt: text })))
}
