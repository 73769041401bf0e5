/** What is asked of agents and runs in workers. Requests and answers are JSON, as between an owner and its clients. */
import { LIFE_COMMANDS, type RunRequest } from '../owner/commands.ts'

export type EntityKind = 'agent' | 'run'

/** Methods of the orchestrator of a worker that make or end an agent. */
export const WORKER_COMMANDS: readonly string[] = [...LIFE_COMMANDS, 'copyAgent']

/** Those of them that make an agent: without a worker that can have it, they are refused. */
export const MAKING_COMMANDS: readonly string[] = ['createAgent', 'declareAgent', 'adopt', 'fork']

/** What any worker does for an agent that lives nowhere, because none has the labels that it requires: to change or to end that. */
export const LIMBO_COMMANDS: readonly string[] = [
  ...['edit', 'removeAgent', 'cancel', 'reject', 'held', 'budget', 'setBudget', 'mailbox.reject'],
]

/** What an agent does where it lives although it belongs elsewhere by now: nothing of it waits until it has moved. */
export const ENDING_COMMANDS: readonly string[] = ['cancel']

/** Asks a worker to let go of an agent whose labels have changed. */
export const LET_GO = 'letGo'

/** What an entity calls: a method of its agent, or one of the orchestrator that makes or ends it. */
export interface EntityCommand {
  readonly method: string
  readonly args: readonly unknown[]
}

export interface EntityAsk {
  readonly taskId: string
  readonly task: unknown
  readonly options: object
}

export interface EntityRun extends RunRequest {
  /** The version of the run when it was first asked for: what it has begun since, it has begun for this. */
  readonly after: number
}
