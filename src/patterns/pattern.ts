/** What a workflow is made of: a pattern is plain RxJS, and reaches agents only through the `ask` that it is given. */
import { catchError, concatMap, map, type Observable, type OperatorFunction, of, toArray } from 'rxjs'
import { describeError } from '../events/errors/base.ts'
import { defined, type JsonObject } from '../events/json.ts'
import type { StepError } from '../events/run-facts.ts'
import type { TaskInput } from '../events/task-input.ts'

/** The answer of an agent, or of a part of a workflow. */
export interface Answer {
  readonly agent: string
  readonly text: string
  /** Why there is no answer, if the pattern continues without it. */
  readonly error?: AnswerError
  /** The parts that it was made without, because they failed. A run that ends with it has not succeeded. */
  readonly missing?: readonly StepError[]
  /** The ids of the facts that hold the answers it was made of. */
  readonly facts?: readonly string[]
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
  /**
   * The answers that the task was made from. What is missing from them is missing from this answer too, and the log names
   * them as what led to it.
   */
  readonly from?: readonly Answer[]
}

/** One ask as a cold observable: subscribing starts it, unsubscribing cancels it. Emits one answer, or fails. */
export type Ask = (worker: Worker, task: TaskInput, options?: StepOptions) => Observable<Answer>

/**
 * A workflow: one or more answers for each input. So patterns nest, and one of your own is an RxJS operator.
 *
 * @example
 * const twice: Pattern = (ask) =>
 *   concatMap((task) =>
 *     ask('writer', task).pipe(concatMap((draft) => ask('editor', { prompt: draft.text }, { from: [draft] }))),
 *   )
 */
export type Pattern<I = TaskInput, O = Answer> = ((ask: Ask) => OperatorFunction<I, O>) & {
  /** The agents that are asked, if known beforehand: an unknown agent is then an error before the first call. */
  readonly agents?: readonly string[]
}

/** A part of a pattern: an agent or a pool to ask, or another pattern. */
export type Step = Worker | Pattern

/** Runs one step on one input. */
export function runStep(
  ask: Ask,
  step: Step,
  task: TaskInput,
  options: StepOptions = {},
): Observable<Answer> {
  if (typeof step !== 'function') return ask(step, task, options)
  const inherit: Ask = (worker, inner, { from = [], ...own } = {}) =>
    ask(worker, inner, { ...options, ...own, from: [...(options.from ?? []), ...from] })
  return of(task).pipe(step(inherit), carryMissing(options.from))
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

/** Several answers as one, in the name of the last. It has failed if all of them have. */
export function asOne(answers: readonly Answer[]): Answer {
  const last = answers.at(-1)
  const hasFailed = answers.every(({ error }) => error !== undefined)
  return {
    agent: last?.agent ?? '',
    text: joinAnswers(answers),
    ...defined({ error: hasFailed ? last?.error : undefined }),
    ...madeOf(answers),
  }
}

/** All answers of a step as one. */
export const joined = (answers: Observable<Answer>): Observable<Answer> => answers.pipe(toArray(), map(asOne))

/** What an answer made of these is made of, and what is missing from it. */
export function madeOf(answers: readonly Answer[]): Pick<Answer, 'missing' | 'facts'> {
  const missing = missingFrom(answers)
  const facts = [...new Set(answers.flatMap((answer) => answer.facts ?? []))]
  return { ...(missing.length > 0 && { missing }), ...(facts.length > 0 && { facts }) }
}

/** The parts that are missing from any of the answers. */
export function missingFrom(answers: readonly Answer[]): readonly StepError[] {
  const parts = answers.flatMap(
    ({ agent, error, missing }) => missing ?? (error === undefined ? [] : [{ agent, ...error }]),
  )
  return [...new Set(parts)]
}

/** Makes what is missing from some answers missing from those that are made from them, and lost with an error. */
export function carryMissing(from: readonly Answer[] = []): OperatorFunction<Answer, Answer> {
  const before = missingFrom(from)
  if (before.length === 0) return (answers) => answers
  return (answers) =>
    answers.pipe(
      map((answer) => ({ ...answer, missing: [...new Set([...before, ...missingFrom([answer])])] })),
      catchError((error: unknown) => {
        const lost = lostWith(error) ?? [stepError('', error)]
        throw rememberLost(error, [...new Set([...before, ...lost])])
      }),
    )
}

/** The parts of a workflow that an error has cost it. */
const lost = new WeakMap<object, readonly StepError[]>()

/** Remembers the parts that are lost with an error. Returns the error. */
export function rememberLost(error: unknown, parts: readonly StepError[]): unknown {
  if (typeof error === 'object' && error !== null) lost.set(error, parts)
  return error
}

/** The parts that are lost with an error; undefined if no ask of the workflow caused it. */
export const lostWith = (error: unknown): readonly StepError[] | undefined =>
  typeof error === 'object' && error !== null ? lost.get(error) : undefined

/** What an error says may be of any length, and a fact may not. */
const LONGEST_TEXT = 16 * 1024

/** An error as a missing part. */
export function stepError(agent: string, error: unknown): StepError {
  const { code, message } = describeError(error)
  return { agent, code, message: message.slice(0, LONGEST_TEXT) }
}
