/**
 * The commands of an owner: the methods that another process may call through it, by name. A listed method works in both
 * processes, so its arguments and its result must be JSON. (If the result is an agent, the caller looks it up itself.)
 */

/** Methods of the orchestrator; `runs.cancel` is `orchestrator.runs.cancel`. */
export const SYSTEM_COMMANDS: readonly string[] = [
  'createAgent',
  'declareAgent',
  'declared',
  'removeAgent',
  'fork',
  'processes',
  'recover',
  'runs.list',
  'runs.show',
  'runs.cancel',
  'runs.fork',
  'budgets.set',
  'budgets.show',
  'budgets.list',
  'accounts.resume',
  'held.list',
  'held.approve',
  'held.reject',
  'lateAnswers',
]

/** Methods of an agent. `ask` has its own address, because its answer is a stream. */
export const AGENT_COMMANDS: readonly string[] = [
  'accept',
  'cancel',
  'reset',
  'stop',
  'held',
  'approve',
  'reject',
  'setBudget',
  'budget',
]

/** The commands, of both kinds, that change nothing. */
export const READING_COMMANDS: ReadonlySet<string> = new Set([
  'processes',
  'runs.list',
  'runs.show',
  'budgets.show',
  'budgets.list',
  'held.list',
  'lateAnswers',
  'held',
  'budget',
])

/** Methods of the orchestrator that work only in the owner, each with what it does, for the error. */
export const OWNER_ONLY: Readonly<Record<string, string>> = {
  run: 'running a workflow',
  'runs.resume': 'resuming a run',
  sequential: 'running a workflow',
  parallel: 'running a workflow',
  pipeline: 'running a workflow',
  hierarchical: 'running a workflow',
  supervise: 'supervising',
  spawn: 'spawning an actor',
}

export interface CommandRequest {
  /** The agent whose method it is; null for the orchestrator. */
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
