/** The shell of an agent: takes tasks, carries out what its state asks for, and answers. */
import { waitFor } from 'xstate'
import { type AgentFact, agentFacts } from '../events/agent-facts.ts'
import type { Recorded } from '../events/envelope.ts'
import { AgentBusyError } from '../events/errors.ts'
import type { TaskInput } from '../events/task-input.ts'
import { isForReading } from '../store/chained-store.ts'
import { EventSourcedActor } from './actor.ts'
import type { RecoveryOutcome } from './agent-call.ts'
import { type AgentEffect, agentEffects, cancelTasks, summarizeAgent } from './agent-decisions.ts'
import { type AgentSnapshot, type AgentStatus, agentMachine } from './agent-machine.ts'
import { changes } from './agent-state.ts'
import { AgentTasks, type AskOptions } from './agent-tasks.ts'
import { type AgentActor, type AgentEnvironment, agentWorker } from './agent-worker.ts'
import { defineKind } from './definition.ts'
import type { TaskHandle } from './task-handle.ts'

export const agentKind = defineKind<typeof agentMachine, AgentEffect>(
  'agent',
  agentMachine,
  {
    facts: agentFacts,
    effects: agentEffects,
    summarize: summarizeAgent,
  },
  [changes],
)

/** One link of an agent's session chain: an answered call. */
export interface SessionLink {
  readonly sessionId: string
  readonly parentSessionId: string | null
  readonly taskId: string
  /** The parent was lost: its words were given to this session as text, from the log. */
  readonly rebuilt: boolean
}

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

export class Agent {
  readonly id: string
  readonly #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #tasks: AgentTasks
  readonly #loadedAt: number
  #started = false

  private constructor(id: string, actor: AgentActor, environment: AgentEnvironment) {
    this.id = id
    this.#actor = actor
    this.#environment = environment
    this.#tasks = new AgentTasks(id, actor, environment)
    this.#loadedAt = environment.clock.now()
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

  /** The session chain, oldest first: a tree, as each link names its parent. */
  async sessions(): Promise<readonly SessionLink[]> {
    let links: SessionLink[] = []
    const rebuilt = new Set<string>()
    for await (const recorded of this.#environment.store.read(this.#actor.stream)) {
      const fact = agentFacts.read(recorded)
      if (fact.type === 'AgentCreated') links = []
      if (fact.type === 'CallStarted' && fact.data.rebuilt) rebuilt.add(fact.data.callId)
      if (fact.type !== 'CallSucceeded') continue
      const { sessionId, parentSessionId, taskId, callId } = fact.data
      links.push({ sessionId, parentSessionId, taskId, rebuilt: rebuilt.has(callId) })
    }
    return links
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
  record(decision: (snapshot: AgentSnapshot) => readonly AgentFact[]): Promise<readonly Recorded[]> {
    return this.#actor.decide(decision)
  }

  /** Resolves when there is nothing left to do: no task runs and none waits. */
  async settled(): Promise<void> {
    const done = ({ context }: AgentSnapshot) => context.current === null && context.queue.length === 0
    await waitFor(this.machine, done, { timeout: Number.POSITIVE_INFINITY })
    await this.#actor.quiet()
  }

  /** Lets the agent go on with what it has to do. */
  start(): void {
    // What is open in a store for reading is somebody else's to go on with.
    if (this.#started || isForReading(this.#environment.store)) return
    this.#started = true
    this.#reportWaiting()
    const { bodies, events, materials } = this.#tasks
    this.#actor.start(agentWorker(this.id, this.#actor, this.#environment, bodies, events, materials))
  }

  /** Ends what goes on, without deciding anything: a call that runs is ended and settled by the next opening. */
  async close(): Promise<void> {
    this.#tasks.close()
    await this.#actor.close()
  }

  /** Tasks that an earlier process had left without a call in flight simply go on. */
  #reportWaiting(): void {
    const { current, queue } = this.snapshot.context
    const report = (taskId: string, outcome: RecoveryOutcome) =>
      this.#environment.recovered({ agent: this.id, taskId, outcome })
    if (current && !current.call) report(current.taskId, 'retried')
    for (const { taskId } of queue) report(taskId, 'redispatched')
  }
}
