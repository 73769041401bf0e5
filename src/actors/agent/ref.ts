/** An agent as its users hold it, wherever it lives. */
import type { TakenSession, TakenTurns } from '../../claude/runner.ts'
import type { AgentChanges } from '../../events/options/agent-changes.ts'
import type { Budget } from '../../events/options/budget.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { BudgetInfo } from '../admission/admission.ts'
import type { AgentActor } from './environment.ts'
import type { AgentFiles } from './files.ts'
import type { AgentSnapshot } from './machine.ts'
import type { AgentMailbox, SendOptions, SentMessage } from './mailbox/mailbox.ts'
import type { SessionLink } from './session/chain.ts'
import type { AgentStatus } from './state.ts'
import type { AskOptions, Reply, TaskHandle } from './tasks/ask.ts'
import type { DraftChange, HoldListeners } from './tasks/channel.ts'
import type { HeldTask, Rejection, ToolVerdict, Verdict } from './tasks/held.ts'
import type { TaskSpending } from './tasks/known-tasks.ts'

/** Totals over an agent's life, of all calls, however they ended. */
export interface AgentMetrics {
  readonly agentId: string
  readonly status: AgentStatus
  readonly totalInteractions: number
  /** As budgets count them. */
  readonly totalTokens: number
  readonly totalCostUsd: number
  /** The part of the cost that is an estimate, because calls were cut off or reported no price. */
  readonly estimatedCostUsd: number
  /** Since this process loaded it. */
  readonly uptimeSeconds: number
  readonly currentSession: string | null
  readonly sessionCount: number
}

/**
 * An agent. Its commands are recorded as facts in its stream, `agent/<id>`. It may live in another process: then its state is
 * as of the last use of it here, and `machine`, `start`, `halt` and `settled` throw.
 */
export interface AgentRef {
  readonly id: string
  /** `absent`, `idle`, `busy`, `retry`, `held`, `error` or `stopped`. */
  readonly status: AgentStatus
  /** The whole state, as XState has it: `value`, `context`, `matches`, `can`. */
  readonly snapshot: AgentSnapshot
  /** The number of facts folded into the state. */
  readonly version: number
  /** The directory that it works in. */
  readonly workspace: string
  /** Its files, turn by turn. Throws InvalidInputError if its runner does not keep them. */
  readonly files: AgentFilesRef
  /** Its mailbox. */
  readonly mailbox: AgentMailboxRef
  /** Gives the agent a task. It is durable before it begins, and one task runs at a time. */
  ask(task: string | TaskInput, options?: AskOptions): TaskHandle
  /**
   * Gives the agent a task, and waits for no more than that it is durable. Returns its id, for {@link reply}: in this
   * process or a later one.
   *
   * @example
   * const taskId = await agent.accept('Summarize the report')
   * const { text } = await agent.reply(taskId)
   */
  accept(task: string | TaskInput, options?: AskOptions): Promise<string>
  /**
   * Waits for the reply to an accepted task; an agent that lives in this process starts. Throws the error that ended the task
   * otherwise, and TaskNotFoundError.
   */
  reply(taskId: string, listeners?: HoldListeners): Promise<Reply>
  /**
   * Sends a message to another agent. It is durable in the mailbox of the receiver when this resolves. Throws
   * UndeliverableError, TooManyMessagesError, MessageChainError, MessageConflictError.
   *
   * @example
   * await writer.send('critic', 'The second draft is in draft.md')
   */
  send(to: string, text: string, options?: SendOptions): Promise<SentMessage>
  /**
   * Cancels a task, queued or running: no further call of it begins. Resolves when that is durable (on a full disk, once
   * there is room), with false if the task had already ended.
   */
  cancel(taskId: string, reason: string, verdict?: Verdict): Promise<boolean>
  /**
   * The answer that the agent is writing now, and then what it writes, for those who have not asked for it. See
   * {@link DraftChange}.
   */
  drafts(signal?: AbortSignal): AsyncGenerator<DraftChange>
  /** What the calls of a task have cost, without what was known only after its task had ended. Read from the log. */
  spentOn(taskId: string): Promise<TaskSpending>
  /** Approves a task that needs approval. Throws TaskNotHeldError. */
  approve(taskId: string, verdict?: Verdict): Promise<void>
  /** Rejects a held task: its caller gets a TaskRejectedError. Throws TaskNotHeldError. */
  reject(taskId: string, rejection?: Rejection): Promise<void>
  /**
   * Decides the tool call at which a call ended: the turn continues from there, once a process runs the agent. Throws
   * TaskNotHeldError.
   */
  decideTool(callId: string, verdict: ToolVerdict): Promise<void>
  /** The tasks that wait for a person, for room in a budget, or for their account. */
  held(): Promise<readonly HeldTask[]>
  /** Sets what the agent may spend: a field left out keeps its limit, null removes it. */
  setBudget(budget: Budget): Promise<BudgetInfo>
  /** What the agent may spend and has spent. */
  budget(): Promise<BudgetInfo>
  /**
   * Changes its options, from its next call on; a call that runs keeps those it began with. Throws InvalidInputError for what
   * cannot change: its id, and the repository, base and branch of its workspace.
   *
   * @example
   * await agent.edit({ model: 'opus', allowedTools: ['Read'], maxTurns: null })
   */
  edit(changes: AgentChanges, verdict?: Verdict): Promise<void>
  /** Begins a new session chain; the old one stays in the log. Throws AgentBusyError while a task runs. */
  reset(verdict?: Verdict): Promise<void>
  /**
   * Makes a fork of its session in which a person talked to it, as `claude-agents agent open` leaves it, the head of its
   * conversation. What it cost counts, as far as its transcript tells. Throws InvalidInputError if the agent has moved on.
   */
  take(session: TakenSession, verdict?: Verdict): Promise<TakenTurns>
  /** Cancels all its tasks and refuses new ones until it is reset. */
  stop(reason?: string): Promise<void>
  /** The session chain, oldest first; each link names its parent. A fork's chain begins with the original's. */
  sessions(): Promise<readonly SessionLink[]>
  metrics(): AgentMetrics
  /** Whether this process runs the agent's tasks. */
  readonly isStarted: boolean
  /** The live XState actor, to subscribe to or to inspect. From now on, the agent stays in memory. */
  readonly machine: AgentActor['machine']
  /** Runs the agent's tasks in this process. Does nothing in a store opened for reading. */
  start(): void
  /** Aborts its effects. It still accepts tasks, which wait. */
  halt(): Promise<void>
  /** Resolves when no task runs and all queued ones are held. Throws ClosedError if the agent is closed before. */
  settled(): Promise<void>
}

/** The files of one agent. */
export type AgentFilesRef = Pick<AgentFiles, keyof AgentFiles>

/** The mailbox of one agent. */
export type AgentMailboxRef = Pick<AgentMailbox, keyof AgentMailbox>
