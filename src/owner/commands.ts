/**
 * The commands of an owner: the methods that another process may call through it, by name. A listed method works in both
 * processes, so its arguments and its result must be JSON. (If the result is an agent, the caller looks it up itself.)
 */
import type { JsonObject } from '../events/json.ts'

/** What a process cannot do with the code of another one. */
export const CODE_ONLY = 'running a workflow that is code of this program'

/** Methods of the orchestrator that make or end an agent. */
export const LIFE_COMMANDS: readonly string[] = [
  ...['createAgent', 'declareAgent', 'adopt', 'fork', 'removeAgent'],
]

/** Methods of the orchestrator; `runs.cancel` is `orchestrator.runs.cancel`. */
export const SYSTEM_COMMANDS: readonly string[] = [
  ...LIFE_COMMANDS,
  'declared',
  'processes',
  'recover',
  'runs.list',
  'runs.show',
  'runs.diff',
  'runs.cancel',
  'runs.fork',
  'budgets.set',
  'budgets.show',
  'budgets.list',
  'accounts.resume',
  'held.list',
  'held.approve',
  'held.reject',
  'inbox.list',
  'inbox.approve',
  'inbox.deny',
  'inbox.answer',
  'lateAnswers',
  'messages.send',
  'messages.read',
  'messages.ask',
  'messages.publish',
  'messages.subscribe',
  'messages.unsubscribe',
  'notes.write',
  'landings.land',
  'landings.cancel',
  'schedules.add',
  'schedules.pause',
  'schedules.resume',
  'schedules.remove',
  'schedules.run',
]

/** Methods of an agent. `ask` has its own address, because its answer is a stream. */
export const AGENT_COMMANDS: readonly string[] = [
  'accept',
  'cancel',
  'edit',
  'reset',
  'take',
  'stop',
  'held',
  'approve',
  'reject',
  'decideTool',
  'setBudget',
  'budget',
  'send',
  'mailbox.send',
  'mailbox.receive',
  'mailbox.read',
  'mailbox.readNote',
  'mailbox.readAnswer',
  'mailbox.release',
  'mailbox.reject',
  'files.turns',
  'files.list',
  'files.diff',
  'files.patch',
  'files.undo',
  'files.project',
  'files.trust',
]

/** The commands, of both kinds, that change nothing. */
export const READING_COMMANDS: ReadonlySet<string> = new Set([
  'processes',
  'runs.list',
  'runs.show',
  'runs.diff',
  'budgets.show',
  'budgets.list',
  'held.list',
  'inbox.list',
  'lateAnswers',
  'held',
  'budget',
  'files.turns',
  'files.list',
  'files.diff',
  'files.patch',
  'files.project',
])

/** What is declared once is there for good: with another owner, declaring it again writes nothing. */
export const DECLARING_COMMANDS: ReadonlySet<string> = new Set(['declared', 'declareAgent'])

/** Methods of the orchestrator that work only in the owner, each with what it does, for the error. */
export const OWNER_ONLY: Readonly<Record<string, string>> = {
  sequential: CODE_ONLY,
  parallel: CODE_ONLY,
  pipeline: CODE_ONLY,
  hierarchical: CODE_ONLY,
  supervise: 'supervising',
  spawn: 'spawning an actor',
}

/** The same of an agent. */
export const AGENT_OWNER_ONLY: Readonly<Record<string, string>> = {
  machine: 'subscribing to the machine of an agent',
  start: 'starting an agent',
  halt: 'halting an agent',
  settled: 'waiting until an agent is settled',
}

/** Calls the method at a path: `runs.cancel` is `target.runs.cancel`. The caller has checked the path against a list. */
export function callCommand(
  target: object,
  path: string,
  args: readonly unknown[],
): Promise<unknown> | undefined {
  const [method = '', part] = path.split('.').toReversed()
  const methods = (part === undefined ? target : Reflect.get(target, part)) as Methods
  // An argument that was left out before another one comes as null.
  return methods[method]?.(...args.map((argument) => argument ?? undefined))
}

type Methods = Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>

/** Whether a result can be sent. An agent cannot: the caller looks it up itself. */
export const isData = (result: unknown): boolean =>
  result === null ||
  typeof result !== 'object' ||
  Array.isArray(result) ||
  Object.getPrototypeOf(result) === Object.prototype

export interface CommandRequest {
  /** The agent whose method it is; null for the orchestrator. */
  readonly agent: string | null
  readonly method: string
  readonly args: readonly unknown[]
}

export interface TaskRequest {
  /** Names this request in an {@link InterruptRequest}. */
  readonly ask: string
  readonly agent: string
  readonly taskId: string
  readonly task: unknown
  readonly options: object
}

/** A run that is started, or resumed if it has no input. */
export interface RunRequest {
  /** Names this request in an {@link InterruptRequest}. */
  readonly ask: string
  readonly runId: string
  /** The reference to its workflow; null for the one that it recorded. */
  readonly workflow: JsonObject | null
  /** The hash of what that refers to, as its client sees it; null if it has none. */
  readonly hash: string | null
  readonly input: unknown
  readonly options: object
}

/** The client of a task or a run no longer wants it. */
export interface InterruptRequest {
  readonly ask: string
  readonly reason: string
  /** Whether it ends for all that asked for it. Otherwise it continues while others want it. */
  readonly forAll: boolean
}
