/** How a run is started and resumed, and what a list says of it. */
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { JsonObject } from '../../events/json.ts'
import { type Budget, checkBudget } from '../../events/options/budget.ts'
import { checkOptionsOf, type KnownKeys, named } from '../../events/options/decoding.ts'
import type { Pattern } from '../pattern.ts'
import type { RunStatus } from './machine.ts'
import type { RecordedStep } from './recorded-steps.ts'

/** What a run executes: code, or data from which its pattern is built. */
export type Workflow = Pattern | JsonObject

/** A workflow that is ready to be executed. */
export interface BuiltWorkflow {
  readonly pattern: Pattern
  /** The name of its runs, unless they have another. */
  readonly name: string
  /** The data that it was built from, with absolute paths; null if it was given as code. */
  readonly workflow: JsonObject | null
  /** The hash of what it is made of; null if that is code. */
  readonly hash: string | null
}

/** Builds a workflow from data, wherever that refers to. Throws InvalidInputError and ConfigError. */
export type BuildWorkflow = (workflow: JsonObject) => Promise<BuiltWorkflow>

/** How a run is started: its id, its name, and its budget. */
export interface RunOptions {
  /** One id is one run, however often it is started. Default: a UUID. */
  readonly id?: string
  /** The name in lists. Default: the name of the workflow; `workflow` if that is a pattern. */
  readonly name?: string
  /** Data from which the pattern can be rebuilt to resume the run. Default: what `run` was given, if that is data. */
  readonly workflow?: JsonObject
  /**
   * The conversations in which its steps ask, unless they choose: `run` (the default) is one conversation of the run with
   * each agent, `chain` is the agent's own, which other runs and tasks share, and `fresh` is a new one for each ask. With
   * `sessionPersistence` off the default is `fresh`.
   */
  readonly session?: 'run' | 'chain' | 'fresh'
  /** Aborting it pauses the run. */
  readonly signal?: AbortSignal
  /** The most that the run may spend: `{ usd: 5 }`. A step that exceeds it is held until the budget is raised. */
  readonly budget?: Budget
  /** The id of the fact that led to it, for `why`. */
  readonly causationId?: string
}

/** Options for resuming a run. */
export interface ResumeOptions extends Pick<RunOptions, 'signal' | 'budget'> {
  /** Resume it even if its workflow has changed since. Steps that the change concerns are asked again. Default: false. */
  readonly acceptChanges?: boolean
  /** Who resumes it, if a person does so by hand; it is recorded in the log. */
  readonly by?: string
}

/**
 * What a run is doing. The log says of a run that it is running until it has ended; `running` here means that a living
 * process executes it. Otherwise it is `waiting`: to be resumed. `held`: all its open steps wait for an approval, or for
 * room in a budget.
 */
export type RunCondition = RunStatus | 'waiting' | 'held'

/**
 * Why no process executes a run that has not ended. A run of data needs nothing but an owner: a process that opens the
 * store to work, such as `claude-agents serve`. A run of code needs the program that has the code.
 */
export type WaitingReason =
  | 'needs an owner'
  | 'needs its program'
  | 'needs its agents'
  | 'its workflow changed'
  | 'its workflow cannot be built'

/** Who executes a run that the log has as running; or why a process that could does not. */
export type RunDriver = { readonly driver: number | string } | { readonly reason: WaitingReason }

/** A run in a list. */
export interface RunInfo {
  readonly runId: string
  readonly name: string
  readonly status: RunCondition
  /** Why it does not continue; null while it does, and once it has ended. */
  readonly reason: WaitingReason | 'held' | 'paused' | null
  /** The pid of the process that executes it; in a cluster, the name of the worker. */
  readonly driver: number | string | null
  /** The first line of its task, at most 200 characters; empty if compaction has dropped it. */
  readonly topic: string
  readonly startedAt: string | null
  /** When it succeeded, failed or was cancelled. */
  readonly endedAt: string | null
  /** From its start to its end, with waiting and pauses; to now while a process executes it, else to its latest fact. */
  readonly durationMs: number
  /** How many steps were scheduled and have not failed or been cut off, and how many of these were answered. */
  readonly steps: number
  readonly done: number
  readonly costUsd: number
}

/** Which runs to list. */
export interface RunListOptions {
  /** Only those that have not ended and are not paused: running, waiting or held. */
  readonly open?: boolean
}

/** A run with its steps and its result. */
export interface RunDetails extends RunInfo {
  readonly workflow: JsonObject | null
  readonly taken: readonly RecordedStep[]
  /** The final output of a run that has ended; null if it has none. */
  readonly finalOutput: string | null
}

const RUN_OPTIONS: KnownKeys<RunOptions> = {
  id: true,
  name: 'a text',
  workflow: 'an object',
  session: true,
  signal: 'an AbortSignal',
  budget: true,
  causationId: 'a text',
}

const RESUME_OPTIONS: KnownKeys<ResumeOptions> = {
  signal: 'an AbortSignal',
  budget: true,
  acceptChanges: 'true or false',
  by: 'a text',
}

const SESSIONS: readonly unknown[] = ['run', 'chain', 'fresh', undefined]

/** Throws {@link InvalidInputError}. */
export function checkRunOptions(options: RunOptions): void {
  checkOptionsOf('a run', options, RUN_OPTIONS)
  if (options.budget !== undefined) checkBudget(options.budget)
  checkSession(options.session)
}

/** Throws {@link InvalidInputError}. */
export function checkResumeOptions(options: ResumeOptions): void {
  checkOptionsOf('resume', options, RESUME_OPTIONS)
  if (options.budget !== undefined) checkBudget(options.budget)
}

/** Throws {@link InvalidInputError}. */
export const checkRunListOptions = (options: RunListOptions): void =>
  checkOptionsOf('a list of runs', options, { open: 'true or false' })

function checkSession(session: unknown): void {
  if (SESSIONS.includes(session)) return
  const problem = `${named(session)} is none of run, chain and fresh`
  throw new InvalidInputError({ what: 'The session of the run', problem })
}

/**
 * The data of a workflow that any process can build; null for one that only this program can: its code, or a pattern that
 * it offers by name.
 */
export const portable = (workflow: Workflow | null | undefined): JsonObject | null =>
  workflow && typeof workflow === 'object' && workflow.kind !== 'program' ? workflow : null
