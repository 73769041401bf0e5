/** How a run is started and resumed, and what a list says of it. */
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { JsonObject } from '../../events/json.ts'
import type { Budget } from '../../events/options/budget.ts'
import type { RunStatus } from './machine.ts'
import type { RecordedStep } from './recorded-steps.ts'

/** How a run is started: its id, its name, and its budget. */
export interface RunOptions {
  /** One id is one run, however often it is started. Default: a UUID. */
  readonly id?: string
  /** The name in lists. Default: `workflow`. */
  readonly name?: string
  /** A reference from which the pattern can be rebuilt to resume the run. */
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
}

/** Options for resuming a run. */
export type ResumeOptions = Pick<RunOptions, 'signal' | 'budget'>

/**
 * What a run is doing. The log says of a run that it is running until it has ended; `running` here means that a living
 * process executes it. Otherwise it is `waiting`: to be resumed. `held`: all its open steps wait for an approval, or for
 * room in a budget.
 */
export type RunCondition = RunStatus | 'waiting' | 'held'

/** A run in a list. */
export interface RunInfo {
  readonly runId: string
  readonly name: string
  readonly status: RunCondition
  /** The first line of its task, at most 200 characters; empty if compaction has dropped it. */
  readonly topic: string
  readonly startedAt: string | null
  /** From its start to its end, with waiting and pauses; to now while a process executes it, else to its latest fact. */
  readonly durationMs: number
  /** How many steps were scheduled, and how many of these were answered. */
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

const SESSIONS: readonly unknown[] = ['run', 'chain', 'fresh', undefined]

/** Throws {@link InvalidInputError} for a session that runs do not have. */
export function checkSession(session: unknown): void {
  if (SESSIONS.includes(session)) return
  const problem = `${JSON.stringify(session)} is none of run, chain and fresh`
  throw new InvalidInputError({ what: 'The session of the run', problem })
}
