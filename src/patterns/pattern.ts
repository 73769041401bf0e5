/** What a workflow is made of: a pattern is plain RxJS, and reaches agents only through the `ask` that it is given. */
import { concatMap, from, map, mergeMap, type Observable, type OperatorFunction, of, toArray } from 'rxjs'
import type { JsonObject } from '../events/json.ts'
import type { TaskInput } from '../events/task-input.ts'

/** The answer of an agent, or of a part of a workflow. */
export interface Answer {
  readonly agent: string
  readonly text: string
  /** Why there is no answer, if the pattern continues without it. */
  readonly error?: AnswerError
}

/** Why an agent gave no answer: the tag and the message of the error. */
export interface AnswerError {
  readonly code: string
  readonly message: string
}

/** Copies of an agent that work side by side, because an agent does one task at a time. */
export interface Pool {
  readonly pool: string
  readonly size: number
}

/** Who is asked: an agent by its id, or a pool of its copies. */
export type Worker = string | Pool

/** How a step asks its agent. */
export interface StepOptions {
  /**
   * `chain` (the default, unless the orchestrator sets another) continues the agent's conversation; `fresh` starts a new one
   * for this ask alone, for asks that must not see each other.
   */
  readonly session?: 'chain' | 'fresh'
  /** The JSON Schema that the answer must match. */
  readonly outputSchema?: JsonObject
  /** Whether the ask must be approved first: see `approved`. A string gives the reason. */
  readonly approval?: boolean | string
}

/** One ask as a cold observable: subscribing starts it, unsubscribing cancels it. Emits one answer, or fails. */
export type Ask = (worker: Worker, task: TaskInput, options?: StepOptions) => Observable<Answer>

/**
 * A workflow: one or more answers for each input. So patterns nest, and one of your own is an RxJS operator.
 *
 * @example
 * const twice: Pattern = (ask) => concatMap((task) => ask('writer', task).pipe(concatMap(({ text }) => ask('editor', { prompt: text }))))
 */
export type Pattern<I = TaskInput, O = Answer> = ((ask: Ask) => OperatorFunction<I, O>) & {
  /** The agents that are asked, if known beforehand: an unknown agent is then an error before the first call. */
  readonly agents?: readonly string[]
}

/** A part of a pattern: an agent or a pool to ask, or another pattern. */
export type Step = Worker | Pattern

/** Runs one step on one input. */
export function runStep(ask: Ask, step: Step, task: TaskInput, options?: StepOptions): Observable<Answer> {
  if (typeof step !== 'function') return ask(step, task, options)
  const inherit: Ask = (worker, inner, own) => ask(worker, inner, { ...options, ...own })
  return of(task).pipe(step(inherit))
}

/** A pattern from a function of one input. Inputs are processed one after another, in order. */
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

/** The name of a step, for results and for prompts. A pattern with a single agent has the agent's name. */
export function stepName(step: Step): string {
  if (typeof step === 'string') return step
  if (typeof step === 'object') return step.pool
  const [agent, ...others] = step.agents ?? []
  return agent !== undefined && others.length === 0 ? agent : 'a part of the workflow'
}

/** Several answers as one text. A single answer stays as it is, and failed ones are left out. */
export function joinAnswers(answers: readonly Answer[]): string {
  const good = answers.filter(({ error }) => error === undefined)
  if (good.length === 1) return good[0]?.text ?? ''
  return good.map(({ agent, text }) => `## ${agent}\n\n${text}`).join('\n\n')
}

/** All answers of a step as one, in the name of the agent that answered last. */
export const joined = (answers: Observable<Answer>): Observable<Answer> =>
  answers.pipe(
    toArray(),
    map((all) => ({ agent: all.at(-1)?.agent ?? '', text: joinAnswers(all) })),
  )

/** Works on several items side by side. Emits once: the answers for each item, in the order of the items. */
export const sideBySide = <Item>(
  items: readonly Item[],
  run: (item: Item) => Observable<Answer>,
  concurrency: number,
): Observable<readonly (readonly Answer[])[]> =>
  from(items).pipe(
    mergeMap(
      (item, index) =>
        run(item).pipe(
          toArray(),
          map((answers) => ({ index, answers })),
        ),
      concurrency,
    ),
    toArray(),
    map((all) => all.sort((one, other) => one.index - other.index).map(({ answers }) => answers)),
  )
