/** The shell of an agent: takes tasks, carries out what its state asks for, and answers. */
import { waitFor } from 'xstate'
import type { AgentFact } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { AgentBusyError } from '../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../events/errors/base.ts'
import type { Budget } from '../../events/options/budget.ts'
import type { TaskInput } from '../../events/task-input.ts'
import { isForReading } from '../../store/level/chained-store.ts'
import type { BudgetInfo } from '../admission/budget-ledger.ts'
import { type Causation, EventSourcedActor } from '../engine/actor.ts'
import type { RecoveryOutcome } from './call.ts'
import { BEGIN_HELD, cancelTasks } from './decisions.ts'
import type { AgentActor, AgentEnvironment } from './environment.ts'
import { agentKind } from './kind.ts'
import type { AgentSnapshot, AgentStatus } from './machine.ts'
import { type SessionLink, sessionLinks } from './session/links.ts'
import { AgentSupervision, type SupervisedAgent } from './supervision.ts'
import type { HoldListeners } from './tasks/callers.ts'
import type { Reply, TaskHandle } from './tasks/handle.ts'
import {
  approveTask,
  type HeldTask,
  heldTasksIn,
  type Rejection,
  rejectTask,
  type Verdict,
} from './tasks/held.ts'
import { AgentTasks, type AskOptions } from './tasks/tasks.ts'
import { agentWorker } from './worker.ts'

/** Sums over an agent's life. */
export interface AgentMetrics {
  readonly agentId: string
  readonly status: AgentStatus
  readonly totalInteractions: number
  readonly totalTokens: number
  readonly totalCostUsd: number
  /** Since this process has it in memory. */
  readonly uptimeSeconds: number
  readonly currentSession: string | null
  readonly sessionCount: number
}

/** An agent: a role with a memory. What it is told here is a fact in its stream, `agent/<id>`. */
export class Agent {
  readonly id: string
  #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #tasks: AgentTasks
  readonly #loadedAt: number
  readonly #supervision = new AgentSupervision()
  #started = false
  #forgetBudgets = () => {}

  private constructor(id: string, actor: AgentActor, environment: AgentEnvironment) {
    this.id = id
    this.#actor = actor
    this.#environment = environment
    this.#tasks = new AgentTasks(id, actor, environment)
    this.#loadedAt = environment.clock.now()
    this.#supervision.look(actor)
  }

  /** Folds the agent's facts. It does nothing until `start` or the first `ask`. */
  static async load(id: string, environment: AgentEnvironment): Promise<Agent> {
    return new Agent(id, await EventSourcedActor.load(agentKind, id, environment), environment)
  }

  /** `absent`, `idle`, `busy`, `retry`, `error` or `stopped`. */
  get status(): AgentStatus {
    return this.snapshot.value
  }

  /** The whole state, as XState has it: `value`, `context`, `matches`, `can`. */
  get snapshot(): AgentSnapshot {
    return this.#actor.snapshot
  }

  /** Whether this process goes on with what the agent has to do. */
  get isStarted(): boolean {
    return this.#started
  }

  /** How many facts the state is made of. */
  get version(): number {
    return this.#actor.version
  }

  /** The live XState actor, to subscribe to or to inspect. */
  get machine(): AgentActor['machine'] {
    return this.#actor.machine
  }

  /** Asks the agent to do something. The task is durable before it begins, and one task runs at a time. */
  ask(task: string | TaskInput, options: AskOptions = {}): TaskHandle {
    return this.#tasks.ask(task, options, () => this.start())
  }

  /** Calls a task off, whether it waits or runs. Nothing happens when it has ended. Returns whether it was called off. */
  cancel(taskId: string, reason: string): Promise<boolean> {
    return this.#tasks.cancel(taskId, reason)
  }

  /**
   * The reply to a task that is queued or has ended, when it comes; throws what ended it otherwise. Lets the agent work.
   */
  reply(taskId: string, listeners: HoldListeners = {}): Promise<Reply> {
    return this.#tasks.reply(taskId, listeners, () => this.start())
  }

  /** Lets a task go on that waits for a yes. Throws TaskNotHeldError. */
  async approve(taskId: string, verdict: Verdict = {}): Promise<void> {
    await this.#actor.decide(({ context }) => approveTask(context, taskId, verdict), {
      correlationId: taskId,
    })
    this.start()
  }

  /** Ends a task that waits for a yes: its asker gets a TaskRejectedError. Throws TaskNotHeldError. */
  async reject(taskId: string, rejection: Rejection = {}): Promise<void> {
    await this.#actor.decide(({ context }) => rejectTask(context, this.id, taskId, rejection), {
      correlationId: taskId,
    })
  }

  /** The tasks that wait for a yes, or for room in a budget. */
  held(): Promise<readonly HeldTask[]> {
    return heldTasksIn(this.id, this.snapshot.context.queue, this.#environment.budgets)
  }

  /** Sets what the agent may spend: what is not named stays, null takes a limit away. */
  setBudget(budget: Budget): Promise<BudgetInfo> {
    return this.#environment.budgets.set({ agent: this.id }, budget)
  }

  /** What it may spend, and what it has spent. */
  budget(): Promise<BudgetInfo> {
    return this.#environment.budgets.show({ agent: this.id })
  }

  /** Begins a new session chain; the old one stays in the log. Refused while a task runs. */
  async reset(): Promise<void> {
    await this.#actor.decide(({ value }) => {
      if (value === 'busy' || value === 'retry') throw new AgentBusyError({ agent: this.id })
      return [{ type: 'AgentReset', data: {} }]
    })
  }

  /** Cancels what it has to do and takes no tasks any more, until it is reset. */
  async stop(reason = 'asked to'): Promise<void> {
    await this.#actor.decide(({ context }) => [
      ...cancelTasks(context, `the agent was stopped: ${reason}`),
      { type: 'AgentStopped', data: { reason } },
    ])
  }

  /** The session chain, oldest first: a tree, as each link names its parent. That of a branch begins with its original's. */
  async sessions(): Promise<readonly SessionLink[]> {
    return sessionLinks(this.#environment.store, this.#actor.stream)
  }

  metrics(): AgentMetrics {
    const { session, totals } = this.snapshot.context
    return {
      agentId: this.id,
      status: this.status,
      totalInteractions: totals.interactions,
      totalTokens: totals.inputTokens + totals.outputTokens,
      totalCostUsd: totals.costUsd,
      uptimeSeconds: (this.#environment.clock.now() - this.#loadedAt) / 1000,
      currentSession: session,
      // Each answered call makes one.
      sessionCount: totals.interactions,
    }
  }

  /** Records facts on behalf of the system that owns the agents (created, removed). */
  record(
    decision: (snapshot: AgentSnapshot) => readonly AgentFact[],
    origin?: Causation,
  ): Promise<readonly Recorded[]> {
    return this.#actor.decide(decision, origin)
  }

  /** Resolves when there is nothing left to do: no task runs, and those that wait are held. */
  async settled(): Promise<void> {
    do {
      await waitFor(this.machine, isAtRest, { timeout: Number.POSITIVE_INFINITY })
      await this.#actor.quiet()
      // What was held may have begun.
    } while (!isAtRest(this.snapshot))
  }

  /** Whether it is settled as far as its state tells. */
  get isAtRest(): boolean {
    return isAtRest(this.snapshot)
  }

  /** Lets the agent go on with what it has to do. */
  start(): void {
    // What is open in a store for reading is somebody else's to go on with.
    if (this.#started || isForReading(this.#environment.store)) return
    this.#started = true
    this.#reportWaiting()
    this.#work()
  }

  /**
   * For its supervisor: the agent runs, out of its error state, loaded anew from its log where it had ended before. What
   * is queued goes on, in the same session chain. Throws AlreadySupervisedError, and whatever loading it does.
   */
  async runUnder(supervisor: string): Promise<SupervisedAgent<Agent>> {
    const { child, isAgain } = this.#supervision.begin(this, supervisor)
    try {
      if (isAgain) await this.#loadAgain()
      await this.#actor.decide(({ value }) =>
        value === 'error' || value === 'stopped' ? [{ type: 'AgentRestarted', data: {} }] : [],
      )
    } catch (error) {
      await child.kill()
      throw error
    }
    this.#tasks.refuse(undefined)
    if (isAgain) this.#work()
    else this.start()
    return child
  }

  /** Aborts what it does. Tasks can still be given to it, and wait. */
  halt(): Promise<void> {
    return this.#actor.halt()
  }

  /** Nobody starts it again by himself: who waits for an answer, or asks for one, is told so. */
  refuse(reason: ClaudeAgentError): void {
    this.#tasks.refuse(reason)
  }

  /** Ends what goes on, without deciding anything: a call that runs is ended and settled by the next opening. */
  async close(): Promise<void> {
    this.#forgetBudgets()
    this.#tasks.close()
    await this.#actor.close()
  }

  #work(): void {
    const { bodies, events, materials } = this.#tasks
    const perform = agentWorker(this.id, this.#actor, this.#environment, bodies, events, materials)
    this.#actor.start(perform, (error) => this.#supervision.crash(error))
    this.#forgetBudgets()
    this.#forgetBudgets = this.#environment.budgets.onChange(() => {
      if (this.snapshot.context.queue.some(({ hold }) => hold?.reason === 'budget'))
        this.#actor.again(BEGIN_HELD)
    })
  }

  async #loadAgain(): Promise<void> {
    const old = this.#actor
    const loading = old
      .close({ atOnce: this.#supervision.wasKilled })
      .then(() => EventSourcedActor.load(agentKind, this.id, this.#environment))
    this.#tasks.reload(loading)
    this.#actor = await loading
    this.#started = true
    this.#supervision.look(this.#actor)
  }

  /** Tasks that an earlier process had left without a call in flight simply go on. */
  #reportWaiting(): void {
    const { current, queue } = this.snapshot.context
    const report = (taskId: string, outcome: RecoveryOutcome) =>
      this.#environment.recovered({ agent: this.id, taskId, outcome })
    if (current && !current.call) report(current.taskId, 'retried')
    for (const { taskId, hold } of queue) if (!hold) report(taskId, 'redispatched')
  }
}

const isAtRest = ({ context }: AgentSnapshot) =>
  context.current === null && context.queue.every(({ hold }) => hold !== undefined)
