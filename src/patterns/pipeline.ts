/** A chain of transformations: each stage turns the text of the one before into its own. */
import { concatMap, map, type Observable, of, toArray } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, type Ask, joinAnswers, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkSteps } from './steps.ts'
import { askInForm, type OutputForm } from './structured-output.ts'

/** One stage of a pipeline: who works on it, with which prompt, and what is passed on. */
export interface Stage {
  readonly agent: Step
  /** The prompt, in which `{{input}}` stands for what comes in. Default: just that. */
  readonly prompt?: string
  /** The form that the answer is to have. It goes on as JSON; a wrong one is asked for once more, and then fails the run. */
  readonly output?: OutputForm
  /** Makes of the answer what goes on. Throws where it is not what it should be: that fails the run. */
  readonly parse?: (text: string) => string
  /** Throws where the answer will not do. */
  readonly check?: (text: string) => void
}

/**
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
  const answer = given.pipe(
    toArray(),
    map((answers) => {
      const text = joinAnswers(answers)
      check?.(text)
      return { agent: answers.at(-1)?.agent ?? '', text: parse(text) }
    }),
  )
  if (rest.length === 0) return answer
  return answer.pipe(concatMap(({ text }) => from(ask, rest, { prompt: text })))
}
