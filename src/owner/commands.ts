/**
 * What another process may ask an owner to do, by the names of the methods. A listed method works in both processes; its
 * arguments and its result must be JSON. (If the result is an agent, the caller looks it up for itself.)
 */

/** Methods of the orchestrator; `runs.cancel` is `orchestrator.runs.cancel`. */
export const SYSTEM_COMMANDS: readonly string[] = [
  'createAgent',
  'declareAgent',
  'removeAgent',
  'fork',
  'processes',
  'runs.cancel',
  'runs.fork',
  'budgets.set',
  'budgets.show',
  'budgets.list',
  'held.list',
  'held.approve',
  'held.reject',
  'lateAnswers',
]

/** Methods of an agent. `ask` is a request of its own, as its answer is a stream. */
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

/** Methods of the orchestrator that work only in its own process, and what they do, for the error. */
export const OWNER_ONLY: Readonly<Record<string, string>> = {
  run: 'running a workflow',
  'runs.resume': 'going on with a run',
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
