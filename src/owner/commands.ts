/**
 * What another process may ask an owner to do, by the names that the methods have. A method that is in a list here works
 * in both; what it takes and gives must be JSON. (An agent that a method gives is looked up by whoever asked for it.)
 */

/** Methods of the orchestrator. */
export const SYSTEM_COMMANDS: readonly string[] = [
  'createAgent',
  'declareAgent',
  'removeAgent',
  'fork',
  'cancelRun',
  'forkRun',
  'processes',
  'setBudget',
  'budget',
  'budgets',
  'held',
  'approve',
  'reject',
  'deadLetters',
]

/** Methods of an agent. `ask` goes a way of its own, as it has much to say. */
export const AGENT_COMMANDS: readonly string[] = [
  'cancel',
  'reset',
  'stop',
  'held',
  'approve',
  'reject',
  'setBudget',
  'budget',
]

/** Methods of the orchestrator that work in its own process alone, and what they do, for the error. */
export const OWNER_ONLY: Readonly<Record<string, string>> = {
  run: 'running a workflow',
  resume: 'going on with a run',
  sequential: 'running a workflow',
  parallel: 'running a workflow',
  pipeline: 'running a workflow',
  hierarchical: 'running a workflow',
  supervise: 'supervising',
  spawn: 'an actor of your own',
  recover: 'going on with what a killed process left',
}

export interface CommandRequest {
  /** Whose method it is; null for the orchestrator's. */
  readonly agent: string | null
  readonly method: string
  readonly args: readonly unknown[]
}

export interface TaskRequest {
  readonly agent: string
  readonly taskId: string
  readonly task: unknown
  readonly options: object
}
