/** What is asked of agents and runs in workers. Requests and answers are JSON, as between an owner and its clients. */
import { LIFE_COMMANDS, type RunRequest } from '../owner/commands.ts'

export type EntityKind = 'agent' | 'run'

/** Methods of the orchestrator of a worker that make or end an agent. */
export const WORKER_COMMANDS: readonly string[] = [...LIFE_COMMANDS, 'copyAgent']

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
