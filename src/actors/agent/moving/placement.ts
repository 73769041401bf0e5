/** Where agents live, and an agent that lives elsewhere: what changes it is called there, and what is read of it is in the log. */
import type { TakenSession, TakenTurns } from '../../../claude/runner.ts'
import type { AgentChanges } from '../../../events/options/agent-changes.ts'
import type { Budget } from '../../../events/options/budget.ts'
import type { TaskInput } from '../../../events/task-input.ts'
import type { BudgetInfo } from '../../admission/admission.ts'
import type { AgentActor } from '../environment.ts'
import type { AgentSnapshot } from '../machine.ts'
import type { SendOptions, SentMessage } from '../mailbox/mailbox.ts'
import type { AgentFilesRef, AgentMailboxRef, AgentMetrics, AgentRef } from '../ref.ts'
import type { SessionLink } from '../session/chain.ts'
import type { AgentStatus } from '../state.ts'
import type { AskOptions, Reply, TaskHandle } from '../tasks/ask.ts'
import type { DraftChange, HoldListeners } from '../tasks/channel.ts'
import type { HeldTask, Rejection, ToolVerdict, Verdict } from '../tasks/held.ts'
import type { TaskSpending } from '../tasks/known-tasks.ts'

/** Where agents live. */
export interface Placement {
  /** Whether an agent lives in this process. */
  owns(agent: string): boolean
  /**
   * Calls a method of an agent where it lives, and returns what it does; `files.diff` is the method `diff` of its `files`.
   * Or one of the orchestrator there that makes or ends the agent: `createAgent`, `declareAgent`, `adopt`, `fork`,
   * `removeAgent`.
   * Throws for a method that works only there.
   *
   * @param requires The labels that the agent requires, as far as is known here; of one that is made, those that it will.
   */
  call(agent: string, method: string, args: readonly unknown[], requires?: readonly string[]): unknown
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
    const asked = this.#called('ask', task, options) as TaskHandle
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
    return this.#called('drafts', signal) as AsyncGenerator<DraftChange>
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
    return this.#called('machine') as AgentActor['machine']
  }

  start(): void {
    this.#called('start')
  }

  halt(): Promise<void> {
    return this.#call('halt')
  }

  settled(): Promise<void> {
    return this.#call('settled')
  }

  async #call<T>(method: string, ...args: readonly unknown[]): Promise<T> {
    return this.#seen(Promise.resolve(this.#called(method, ...args) as T))
  }

  #called(method: string, ...args: readonly unknown[]): unknown {
    return this.#placement.call(this.id, method, args, this.snapshot.context.config?.requires)
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
