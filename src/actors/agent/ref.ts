/** An agent as its users hold it, wherever it lives; and the way to those that live elsewhere. */

import type { TakenSession, TakenTurns } from '../../claude/runner.ts'
import type { AgentChanges } from '../../events/options/agent-changes.ts'
import type { Budget } from '../../events/options/budget.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { BudgetInfo } from '../admission/admission.ts'
import type { AgentActor } from './environment.ts'
import type { AgentFiles } from './files.ts'
import type { AgentSnapshot, AgentStatus } from './machine.ts'
import type { AgentMailbox, SendOptions, SentMessage } from './mailbox/mailbox.ts'
import type { SessionLink } from './session/chain.ts'
import type { AskOptions } from './tasks/ask-options.ts'
import type { DraftChange, HoldListeners } from './tasks/channel.ts'
import type { Reply, TaskHandle } from './tasks/handle.ts'
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

/** Where agents live. */
export interface Placement {
  /** Whether an agent lives in this process. */
  owns(agent: string): boolean
  /**
   * Calls a method of an agent where it lives, and returns what it does; `files.diff` is the method `diff` of its `files`.
   * Or one of the orchestrator there that makes or ends the agent: `createAgent`, `declareAgent`, `adopt`, `fork`,
   * `removeAgent`.
   * Throws for a method that works only there.
   */
  call(agent: string, method: string, args: readonly unknown[]): unknown
}

/** All agents live in this process. */
export const localPlacement: Placement = {
  owns: () => true,
  call: (agent) => {
    throw new Error(`agent "${agent}" lives in this process`)
  },
}

/** What is read in the log about an agent that lives elsewhere. */
type ReadAgent = Omit<AgentRef, 'ask'> & { refresh(): Promise<unknown> }

/** An agent that lives elsewhere. Its state is read in the log, again after each use; what changes it is called there. */
export class AgentElsewhere implements AgentRef {
  readonly id: string
  readonly files: AgentFilesRef
  readonly mailbox: AgentMailboxRef
  readonly isStarted = false
  readonly #read: ReadAgent
  readonly #placement: Placement

  constructor(read: ReadAgent, placement: Placement) {
    this.id = read.id
    this.#read = read
    this.#placement = placement
    const method =
      <M extends keyof AgentFilesRef>(name: M) =>
      (...args: Parameters<AgentFilesRef[M]>) =>
        this.#call<Awaited<ReturnType<AgentFilesRef[M]>>>(`files.${name}`, ...args)
    const ofMailbox =
      <M extends keyof AgentMailboxRef>(name: M) =>
      (...args: Parameters<AgentMailboxRef[M]>) =>
        this.#call<Awaited<ReturnType<AgentMailboxRef[M]>>>(`mailbox.${name}`, ...args)
    this.mailbox = {
      send: ofMailbox('send'),
      receive: ofMailbox('receive'),
      read: ofMailbox('read'),
      readNote: ofMailbox('readNote'),
      readAnswer: ofMailbox('readAnswer'),
      release: ofMailbox('release'),
      reject: ofMailbox('reject'),
    }
    this.files = {
      turns: method('turns'),
      list: method('list'),
      diff: method('diff'),
      patch: method('patch'),
      undo: method('undo'),
      project: method('project'),
      trust: method('trust'),
    }
  }

  get status(): AgentStatus {
    return this.#read.status
  }

  get snapshot(): AgentSnapshot {
    return this.#read.snapshot
  }

  get version(): number {
    return this.#read.version
  }

  get workspace(): string {
    return this.#read.workspace
  }

  metrics(): AgentMetrics {
    return this.#read.metrics()
  }

  sessions(): Promise<readonly SessionLink[]> {
    return this.#read.sessions()
  }

  spentOn(taskId: string): Promise<TaskSpending> {
    return this.#read.spentOn(taskId)
  }

  reply(taskId: string, listeners?: HoldListeners): Promise<Reply> {
    return this.#seen(this.#read.reply(taskId, listeners))
  }

  ask(task: string | TaskInput, options?: AskOptions): TaskHandle {
    const asked = this.#placement.call(this.id, 'ask', [task, options]) as TaskHandle
    return asked.before(() => this.#refresh())
  }

  accept(task: string | TaskInput, options?: AskOptions): Promise<string> {
    return this.#call('accept', task, options)
  }

  send(to: string, text: string, options?: SendOptions): Promise<SentMessage> {
    return this.mailbox.send(to, text, options)
  }

  cancel(taskId: string, reason: string, verdict?: Verdict): Promise<boolean> {
    return this.#call('cancel', taskId, reason, verdict)
  }

  drafts(signal?: AbortSignal): AsyncGenerator<DraftChange> {
    return this.#placement.call(this.id, 'drafts', [signal]) as AsyncGenerator<DraftChange>
  }

  approve(taskId: string, verdict?: Verdict): Promise<void> {
    return this.#call('approve', taskId, verdict)
  }

  reject(taskId: string, rejection?: Rejection): Promise<void> {
    return this.#call('reject', taskId, rejection)
  }

  decideTool(callId: string, verdict: ToolVerdict): Promise<void> {
    return this.#call('decideTool', callId, verdict)
  }

  held(): Promise<readonly HeldTask[]> {
    return this.#call('held')
  }

  setBudget(budget: Budget): Promise<BudgetInfo> {
    return this.#call('setBudget', budget)
  }

  budget(): Promise<BudgetInfo> {
    return this.#call('budget')
  }

  edit(changes: AgentChanges, verdict?: Verdict): Promise<void> {
    return this.#call('edit', changes, verdict)
  }

  reset(verdict?: Verdict): Promise<void> {
    return this.#call('reset', verdict)
  }

  take(session: TakenSession, verdict?: Verdict): Promise<TakenTurns> {
    return this.#call('take', session, verdict)
  }

  stop(reason?: string): Promise<void> {
    return this.#call('stop', reason)
  }

  get machine(): AgentActor['machine'] {
    return this.#placement.call(this.id, 'machine', []) as AgentActor['machine']
  }

  start(): void {
    this.#placement.call(this.id, 'start', [])
  }

  halt(): Promise<void> {
    return this.#call('halt')
  }

  settled(): Promise<void> {
    return this.#call('settled')
  }

  async #call<T>(method: string, ...args: readonly unknown[]): Promise<T> {
    return this.#seen(Promise.resolve(this.#placement.call(this.id, method, args) as T))
  }

  /** What was done there is in the state here. */
  #seen<T>(doing: Promise<T>): Promise<T> {
    return doing.finally(() => this.#refresh())
  }

  /** The log may be out of reach by now. What was done is done. */
  async #refresh(): Promise<void> {
    await this.#read.refresh().catch(() => {})
  }
}
