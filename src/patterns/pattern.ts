/** What a workflow is made of: a pattern is plain RxJS, and reaches agents only through the `ask` that it is given. */
import { concatMap, type Observable, type OperatorFunction, of } from 'rxjs'
import type { JsonObject } from '../events/json.ts'
import type { AgentOptions } from '../events/options/agent.ts'
import type { StepLanding } from '../events/options/landing.ts'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, carryMissing } from './answers.ts'

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
   * `run` (the default, unless the run has another) continues the run's own conversation with the agent, which begins
   * with its first ask; `chain` continues the agent's conversation; `fresh` starts a new one for this ask alone, for
   * asks that must not see each other.
   */
  readonly session?: 'run' | 'chain' | 'fresh'
  /** The JSON Schema that the answer must match. */
  readonly outputSchema?: JsonObject
  /** Whether the ask must be approved first: see `approved`. A string gives the reason. */
  readonly approval?: boolean | string
  /**
   * Whether the agent's work lands once it has answered, and how. The answer comes when it has landed; if it does not, the
   * step fails.
   */
  readonly land?: StepLanding
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
  /** Those of them that a run creates if they are missing. */
  readonly team?: readonly AgentOptions[]
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
  const team = steps.flatMap((step) => (typeof step === 'function' ? (step.team ?? []) : []))
  return Object.assign((ask: Ask) => concatMap((task: TaskInput) => run(ask, task)), {
    agents: [...new Set(agents)],
    ...(team.length > 0 && { team }),
  })
}

/** The name of a step, for results and for prompts. A pattern with a single agent has the agent's name. */
export function stepName(step: Step): string {
  if (typeof step === 'string') return step
  if (typeof step === 'object') return step.pool
  const [agent, ...others] = step.agents ?? []
  return agent !== undefined && others.length === 0 ? agent : 'a part of the workflow'
}
