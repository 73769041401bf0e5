/** What a workflow is made of: a pattern reaches agents only through the `ask` it is given, and is plain RxJS otherwise. */
import { concatMap, type Observable, type OperatorFunction, of } from 'rxjs'
import type { JsonObject } from '../events/json.ts'
import type { TaskInput } from '../events/task-input.ts'

/** What an agent, or a part of a workflow, answered. */
export interface Answer {
  readonly agent: string
  readonly text: string
  /** Why there is no answer, where a pattern goes on without it. */
  readonly error?: AnswerError
}

/** Why an agent gave no answer: the tag and the message of the error. */
export interface AnswerError {
  readonly code: string
  readonly message: string
}

/** Copies of an agent that work side by side: an agent does one task at a time. */
export interface Pool {
  readonly pool: string
  readonly size: number
}

/** Who is asked: an agent by its id, or a pool of its copies. */
export type Worker = string | Pool

/** What one step of a pattern may ask differently from its agent. */
export interface StepOptions {
  /**
   * `chain` (the default) continues the agent's conversation; `fresh` begins a new one for this ask alone, for asks that
   * must not see each other.
   */
  readonly session?: 'chain' | 'fresh'
  /** The form that the answer is to have, as a JSON Schema. */
  readonly outputSchema?: JsonObject
  /** Whether somebody must say yes before the agent is asked: see `approved`. A string says why. */
  readonly approval?: boolean | string
}

/** One ask as a cold observable: subscribing starts it, unsubscribing cancels it. Emits one answer, or fails. */
export type Ask = (worker: Worker, task: TaskInput, options?: StepOptions) => Observable<Answer>

/**
 * A workflow: for each input, one answer or more. So patterns nest, and one of your own is an RxJS operator.
 *
 * @example
 * const twice: Pattern = (ask) => concatMap((task) => ask('writer', task).pipe(concatMap(({ text }) => ask('editor', { prompt: text }))))
 */
export type Pattern<I = TaskInput, O = Answer> = ((ask: Ask) => OperatorFunction<I, O>) & {
  /** Who is asked, where that is known beforehand: an unknown agent is then an error before the first call. */
  readonly agents?: readonly string[]
}

/** A part of a pattern: somebody to ask, or another pattern. */
export type Step = Worker | Pattern

/** Runs one step on one input. */
export function runStep(ask: Ask, step: Step, task: TaskInput, options?: StepOptions): Observable<Answer> {
  if (typeof step !== 'function') return ask(step, task, options)
  const inherit: Ask = (worker, inner, own) => ask(worker, inner, { ...options, ...own })
  return of(task).pipe(step(inherit))
}

/** A pattern from what is done with one input; inputs are done one after another, in order. */
export function patternOf(
  steps: readonly Step[],
  run: (ask: Ask, task: TaskInput) => Observable<Answer>,
): Pattern {
  const agents = steps.flatMap((step) =>
    typeof step === 'function' ? (step.agents ?? []) : [stepName(step)],
  )
  return Object.assign((ask: Ask) => concatMap((task: TaskInput) => run(ask, task)), {
    agents: [...new Set(agents)],
  })
}

/** The name of a step, for results and for texts that a model reads. A part with one agent goes by the agent's name. */
export function stepName(step: Step): string {
  if (typeof step === 'string') return step
  if (typeof step === 'object') return step.pool
  const [agent, ...others] = step.agents ?? []
  return agent !== undefined && others.length === 0 ? agent : 'a part of the workflow'
}

/** Several answers as one text; one answer stays as it is, and what failed is left out. */
export function joinAnswers(answers: readonly Answer[]): string {
  const good = answers.filter(({ error }) => error === undefined)
  if (good.length === 1) return good[0]?.text ?? ''
  return good.map(({ agent, text }) => `## ${agent}\n\n${text}`).join('\n\n')
}
