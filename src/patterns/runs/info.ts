/** What a run can be told, and what is told of it. */

import type { JsonObject } from '../../events/json.ts'
import type { Budget } from '../../events/options/budget.ts'
import type { RunStatus } from './machine.ts'
import type { RecordedStep } from './recorded-steps.ts'

/** How a run is started: its id, its name, and its budget. */
export interface RunOptions {
  /** One id is one run, however often it is asked for. Default: a new one. */
  readonly id?: string
  /** For lists. Default: `workflow`. */
  readonly name?: string
  /** How the pattern can be made again by whoever resumes the run. */
  readonly workflow?: JsonObject
  /** Aborting it pauses the run. */
  readonly signal?: AbortSignal
  /** The most that the run may spend: `{ usd: 5 }`. A step that does not fit is held, and goes on when this is raised. */
  readonly budget?: Budget
}

/** What going on with a run can be told. */
export type ResumeOptions = Pick<RunOptions, 'signal' | 'budget'>

/** A run in a list. */
export interface RunInfo {
  readonly runId: string
  readonly name: string
  readonly status: RunStatus
  /** How many steps were begun, and how many of them were answered. */
  readonly steps: number
  readonly done: number
  readonly costUsd: number
}

/** A run with its steps and its result. */
export interface RunDetails extends RunInfo {
  readonly workflow: JsonObject | null
  readonly taken: readonly RecordedStep[]
  /** What came of it, where it has ended; null where nothing did. */
  readonly finalOutput: string | null
}
