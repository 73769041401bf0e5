/** What waits for a person, as one entry: what is asked, who waits for it, and the command that answers it. */
import type { Json } from '../events/json.ts'
import type { PatchLine } from './line-patch.ts'

/** Why something waits. */
export type InboxKind =
  | 'task'
  | 'tool'
  | 'question'
  | 'budget'
  | 'account'
  | 'landing'
  | 'supervision'
  | 'run'
  | 'schedule'
  | 'message'

/** Something that waits for a person. */
export interface InboxEntry {
  /** The same after every restart. It names what waits: `task:writer:t1`. */
  readonly id: string
  /**
   * `task`: a task needs approval. `tool`: a tool call does. `question`: an agent asks something. `budget`: it has no room for
   * a task. `account`: it cannot pay for one. `landing`: work was set aside. `supervision`: a tree gave up. `run`: no process
   * executes it. `schedule`: its last firing began nothing. `message`: a message to an agent that reads none without a person.
   */
  readonly kind: InboxKind
  /** The agent that waits, or was to be asked; null for a supervision tree and a run. */
  readonly agent: string | null
  /** The run that waits, if it is one of a run. */
  readonly run: string | null
  /** Since when it waits: ISO 8601 in UTC. */
  readonly since: string
  /** What the agent, or the run, was asked, in full; null if that is no longer in the store, or nothing was asked. */
  readonly prompt: string | null
  /** The tool that is to be used; null unless it is about one. */
  readonly tool: string | null
  /** What it is about, as data: the work that is to land, the budget that has no room. */
  readonly input: Json
  /** What a person is to decide, as a sentence. */
  readonly question: string
  /** The answers to choose from; null if any will do, or none. */
  readonly choices: readonly string[] | null
  /** What the task, or the run, has cost so far; null if it is about neither. */
  readonly costUsd: number | null
  /** The command that lets it continue. */
  readonly command: string
}

/** What a tool call would change in a file. All of it can be shown: it is bounded, and hidden characters are visible. */
export interface ProposedChange {
  /** Relative to the workspace of the agent. */
  readonly path: string
  readonly patch: readonly PatchLine[]
  /** How many lines of the patch are not in it. */
  readonly moreLines: number
  /** Why it cannot be told; null if it can. */
  readonly problem: string | null
}

/** What an id names. */
export interface InboxPlace {
  readonly kind: string
  /** The agent, the entry of a landing queue, the supervisor, the run or the schedule. */
  readonly of: string
  /** The task, the call that ended at a tool call, or the message. */
  readonly taskId: string
}

export const inboxId = (kind: InboxKind, of: string, taskId?: string): string =>
  taskId === undefined ? `${kind}:${of}` : `${kind}:${of}:${taskId}`

/** Whatever is decided of a tool call or a question, the turn of its agent continues. */
export const continuesTurn = (id: string): boolean => /^(tool|question):/.test(id)

export function placeOfEntry(id: string): InboxPlace {
  const [, kind = '', of = '', taskId = ''] = /^([^:]*):([^:]*)(?::(.*))?$/s.exec(id) ?? []
  return { kind, of, taskId }
}
