/** An agent as its users hold it: a role with a queue of tasks and a memory. */
import { waitFor } from 'xstate'
import type { AgentFact } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { AgentBusyError, AgentNotFoundError } from '../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../events/errors/base.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { checkTaskId } from '../../events/ids.ts'
import type { Budget } from '../../events/options/budget.ts'
import type { TaskInput } from '../../events/task-input.ts'
import { isForReading } from '../../store/level/chained-store.ts'
import type { BudgetInfo } from '../admission/admission.ts'
import { type Causation, EventSourcedActor } from '../engine/actor.ts'
import type { RecoveryOutcome } from './call.ts'
import { BEGIN_HELD, cancelTasks, isHeldForMoney } from './decisions.ts'
import type { AgentActor, AgentEnvironment } from './environment.ts'
import { agentKind } from './kind.ts'
import type { AgentSnapshot, AgentStatus } from './machine.ts'
import { type SessionLink, sessionLinks } from './session/chain.ts'
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
import type { TaskSpending } from './tasks/known-tasks.ts'
import { AgentTasks, type AskOptions } from './tasks/tasks.ts'
import { totalTokens } from './totals.ts'
import { agentWorker } from './worker.ts'

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

/** An agent. Its commands are recorded as facts in its stream, `agent/<id>`. */
export class Agent {
  readonly id: string
  #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #tasks: AgentTasks
  readonly #loadedAt: number
  readonly #supervision = new AgentSupervision()
  #started = false
  /** Resolves when the agent is loaded again. Never rejects. */
  #reloading: Promise<unknown> = Promise.resolve()
  #stopReviews = () => {}

  private constructor(id: string, actor: AgentActor, environment: AgentEnvironment) {
    this.id = id
    this.#actor = actor
    this.#environment = environment
    this.#tasks = new AgentTasks(id, actor, environment, () => this.start())
    this.#loadedAt = environment.clock.now()
    this.#supervision.observe(actor)
  }

  /** Folds the agent's facts. It does not work until `start` or the first `ask`. */
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

  /** Whether this process runs the agent's tasks. */
  get isStarted(): boolean {
    return this.#started
  }

  /** The number of facts folded into the state. */
  get version(): number {
    return this.#actor.version
  }

  /** The live XState actor, to subscribe to or to inspect. */
  get machine(): AgentActor['machine'] {
    return this.#actor.machine
  }

  /** Gives the agent a task. It is durable before it begins, and one task runs at a time. */
  ask(task: string | TaskInput, options: AskOptions = {}): TaskHandle {
    return this.#tasks.ask(task, options)
  }

  /**
   * Cancels a task, queued or running: no further call of it begins. Resolves when that is durable (on a full disk, once
   * there is room), with false if the task had already ended.
   */
  cancel(taskId: string, reason: string): Promise<boolean> {
    return this.#tasks.cancel(taskId, reason)
  }

  /**
   * Starts the agent and waits for the reply to an accepted task. Throws the error that ended the task otherwise, and
   * TaskNotFoundError.
   */
  async reply(taskId: string, listeners: HoldListeners = {}): Promise<Reply> {
    checkTaskId(taskId)
    return this.#tasks.reply(taskId, listeners)
  }

  /** What the calls of a task have cost, without what was known only after its task had ended. Read from the log. */
  spentOn(taskId: string): Promise<TaskSpending> {
    return this.#tasks.spentOn(taskId)
  }

  /** Approves a task that needs approval. Throws TaskNotHeldError. */
  async approve(taskId: string, verdict: Verdict = {}): Promise<void> {
    await this.#actor.decide(({ context }) => approveTask(context, taskId, verdict), {
      correlationId: taskId,
    })
    this.start()
  }

  /** Rejects a held task: its caller gets a TaskRejectedError. Throws TaskNotHeldError. */
  async reject(taskId: string, rejection: Rejection = {}): Promise<void> {
    await this.#actor.decide(({ context }) => rejectTask(context, this.id, taskId, rejection), {
      correlationId: taskId,
    })
  }

  /** The tasks that wait for approval or for room in a budget. */
  held(): Promise<readonly HeldTask[]> {
    return heldTasksIn(this.id, this.snapshot.context.queue, this.#environment.admission)
  }

  /** Sets what the agent may spend: a field left out keeps its limit, null removes it. */
  setBudget(budget: Budget): Promise<BudgetInfo> {
    return this.#environment.admission.setBudget(this.id, budget)
  }

  /** What the agent may spend and has spent. */
  budget(): Promise<BudgetInfo> {
    return this.#environment.admission.budgetOf(this.id)
  }

  /** Begins a new session chain; the old one stays in the log. Throws AgentBusyError while a task runs. */
  async reset(): Promise<void> {
    await this.#actor.decide(({ value }) => {
      if (value === 'busy' || value === 'retry') throw new AgentBusyError({ agent: this.id })
      return [{ type: 'AgentReset', data: {} }]
    })
  }

  /** Cancels all its tasks and refuses new ones until it is reset. */
  async stop(reason = 'asked to'): Promise<void> {
    await this.#actor.decide(({ context }) => [
      ...cancelTasks(context, `the agent was stopped: ${reason}`),
      { type: 'AgentStopped', data: { reason } },
    ])
  }

  /** The session chain, oldest first; each link names its parent. A fork's chain begins with the original's. */
  async sessions(): Promise<readonly SessionLink[]> {
    return sessionLinks(this.#environment.store, this.#actor.stream)
  }

  metrics(): AgentMetrics {
    const { session, totals } = this.snapshot.context
    return {
      agentId: this.id,
      status: this.status,
      totalInteractions: totals.interactions,
      totalTokens: totalTokens(totals),
      totalCostUsd: totals.costUsd,
      estimatedCostUsd: totals.estimatedUsd ?? 0,
      uptimeSeconds: (this.#environment.clock.now() - this.#loadedAt) / 1000,
      currentSession: session,
      // Each answered call creates one.
      sessionCount: totals.interactions,
    }
  }

  /** Records facts for the system that owns the agents (created, configured, removed). */
  record(
    decision: (snapshot: AgentSnapshot) => readonly AgentFact[],
    origin?: Causation,
  ): Promise<readonly Recorded[]> {
    return this.#actor.decide(decision, origin)
  }

  /** Resolves when no task runs and all queued ones are held. Throws ClosedError if the agent is closed before. */
  async settled(): Promise<void> {
    for (;;) {
      const actor = this.#actor
      if (!actor.closed) {
        // Rejects if the actor is closed meanwhile.
        await waitFor(actor.machine, isAtRest, { timeout: Number.POSITIVE_INFINITY }).catch(() => {})
        await actor.quiet()
      }
      await this.#reloading
      // A held task may have begun, and a supervisor may have reloaded the agent.
      if (isAtRest(this.snapshot)) return
      if (actor.closed && actor === this.#actor) throw new ClosedError({ what: 'orchestrator' })
    }
  }

  /** Whether its state has no task to run. */
  get isAtRest(): boolean {
    return isAtRest(this.snapshot)
  }

  /** Runs the agent's tasks in this process. Does nothing in a store opened for reading. */
  start(): void {
    if (this.#started || isForReading(this.#environment.store)) return
    this.#started = true
    this.#reportOpenTasks()
    this.#work()
  }

  /**
   * Runs the agent as a supervisor's child: out of its error state, and reloaded from its log if it had ended. Queued
   * tasks resume in the same session chain. Throws AlreadySupervisedError and whatever loading throws.
   */
  async runUnder(supervisor: string): Promise<SupervisedAgent<Agent>> {
    const { child, hasEnded } = this.#supervision.begin(this, supervisor)
    try {
      if (hasEnded) await this.#reload()
      await this.#actor.decide(({ value }) =>
        value === 'error' || value === 'stopped' ? [{ type: 'AgentRestarted', data: {} }] : [],
      )
      if (this.status === 'absent') throw new AgentNotFoundError({ agent: this.id, nearest: null })
    } catch (error) {
      await child.kill()
      throw error
    }
    this.#tasks.refuse(undefined)
    if (hasEnded) this.#work()
    else this.start()
    return child
  }

  /** Aborts its effects. It still accepts tasks, which wait. */
  halt(): Promise<void> {
    return this.#actor.halt()
  }

  /** Refuses tasks and rejects pending replies with the reason. */
  refuse(reason: ClaudeAgentError): void {
    this.#tasks.refuse(reason)
  }

  /** Stops without recording anything: a running call is terminated, and settled when the store is next opened. */
  async close(): Promise<void> {
    this.#stopReviews()
    this.#tasks.close()
    await this.#actor.close()
  }

  #work(): void {
    const worker = agentWorker(this.id, this.#actor, this.#environment, this.#tasks)
    this.#tasks.worker = worker
    this.#actor.start(worker.perform, (error) => this.#supervision.crash(error))
    this.#stopReviews()
    const review = () => {
      if (this.snapshot.context.queue.some(isHeldForMoney)) this.#actor.again(BEGIN_HELD)
    }
    this.#stopReviews = this.#environment.admission.changes(review)
  }

  async #reload(): Promise<void> {
    const old = this.#actor
    const loading = old
      .close({ atOnce: this.#supervision.wasKilled, insists: true })
      .then(() => EventSourcedActor.load(agentKind, this.id, this.#environment))
    this.#tasks.reload(loading)
    this.#reloading = loading.catch(() => {})
    this.#actor = await loading
    this.#started = true
    this.#supervision.observe(this.#actor)
  }

  /** Reports tasks that an earlier process left without a call in flight: they need no recovery and simply resume. */
  #reportOpenTasks(): void {
    const { current, queue } = this.snapshot.context
    const report = (taskId: string, outcome: RecoveryOutcome) =>
      this.#environment.recovered({ agent: this.id, taskId, outcome })
    if (current && !current.call) report(current.taskId, 'retried')
    for (const { taskId, hold } of queue) if (!hold) report(taskId, 'redispatched')
  }
}

const isAtRest = ({ context }: AgentSnapshot) =>
  context.current === null && context.queue.every(({ hold }) => hold !== undefined)
