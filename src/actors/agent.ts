/** The shell of an agent: takes tasks, carries out what its state asks for, and answers. */
import { EventEmitter, once } from 'node:events'
import { waitFor } from 'xstate'
import { type AgentFact, agentFacts, type TaskOutcome } from '../events/agent-facts.ts'
import { callErrorFrom } from '../events/call-errors.ts'
import type { Recorded } from '../events/envelope.ts'
import {
  AgentBusyError,
  AgentNotFoundError,
  AgentStoppedError,
  ClosedError,
  TaskCancelledError,
  TaskConflictError,
} from '../events/errors.ts'
import { checkTaskId } from '../events/ids.ts'
import { withoutCredentials } from '../events/input-checks.ts'
import { checkTaskInput, type Material, type TaskInput } from '../events/task-input.ts'
import { EventSourcedActor } from './actor.ts'
import { endsTask, type RecoveryOutcome } from './agent-call.ts'
import { type AgentEffect, agentEffects, cancelTasks, summarizeAgent } from './agent-decisions.ts'
import { type AgentSnapshot, type AgentStatus, agentMachine } from './agent-machine.ts'
import { changes } from './agent-state.ts'
import { type AgentActor, type AgentEnvironment, agentWorker } from './agent-worker.ts'
import { type Bodies, bodiesIn } from './bodies.ts'
import { defineKind } from './definition.ts'
import { type Reply, TaskHandle } from './task-handle.ts'

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

export interface AskOptions {
  /** Aborting it cancels the task. */
  readonly signal?: AbortSignal
  /** Makes the ask idempotent: the same id runs once, ever, and has one reply. Default: a new UUID. */
  readonly taskId?: string
  /** `chain` (the default) continues the agent's conversation; `fresh` is a conversation of its own, which leaves no trace
   * in the agent's. */
  readonly session?: 'chain' | 'fresh'
  /** What led to the task, for those who ask the log later: a run and its step. */
  readonly origin?: { readonly correlationId: string; readonly causationId: string }
}

/** One link of an agent's session chain: an answered call. */
export interface SessionLink {
  readonly sessionId: string
  readonly parentSessionId: string | null
  readonly taskId: string
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
  readonly #bodies: Bodies
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #closing = new AbortController()
  readonly #loadedAt: number
  /** What running tasks brought along, with credentials: the log must not hold those. */
  readonly #materials = new Map<string, Material>()
  #started = false

  private constructor(id: string, actor: AgentActor, environment: AgentEnvironment) {
    this.id = id
    this.#actor = actor
    this.#environment = environment
    this.#bodies = bodiesIn(environment.store)
    this.#loadedAt = environment.clock.now()
    actor.observe((recorded) => {
      const fact = agentFacts.read(recorded)
      if ('taskId' in fact.data && endsTask(fact, fact.data.taskId)) {
        this.#events.emit(`outcome ${fact.data.taskId}`, fact)
      }
    })
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
    const taskId = options.taskId ?? this.#environment.newId()
    return new TaskHandle(taskId, this.#ask(taskId, task, options), this.#events, (reason) =>
      this.cancel(taskId, reason),
    )
  }

  /** Calls a task off, whether it waits or runs. Nothing happens when it has ended. */
  async cancel(taskId: string, reason: string): Promise<void> {
    await this.#actor.decide(({ context }) => cancelTasks(context, reason, taskId), { correlationId: taskId })
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
    for await (const recorded of this.#environment.store.read(this.#actor.stream)) {
      const fact = agentFacts.read(recorded)
      if (fact.type === 'AgentCreated') links = []
      if (fact.type !== 'CallSucceeded') continue
      const { sessionId, parentSessionId, taskId } = fact.data
      links.push({ sessionId, parentSessionId, taskId })
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
    if (this.#started) return
    this.#started = true
    this.#reportWaiting()
    this.#actor.start(
      agentWorker(this.id, this.#actor, this.#environment, this.#bodies, this.#events, this.#materials),
    )
  }

  /** Ends what goes on, without deciding anything: a call that runs is ended and settled by the next opening. */
  async close(): Promise<void> {
    this.#closing.abort(new ClosedError({ what: 'orchestrator' }))
    await this.#actor.close()
  }

  async #ask(
    taskId: string,
    task: string | TaskInput,
    { signal, session = 'chain', origin }: AskOptions,
  ): Promise<Reply> {
    checkTaskId(taskId)
    const { prompt, textInput, ...material } = checkTaskInput(task)
    const cancelled = () => new TaskCancelledError({ agent: this.id, taskId, reason: String(signal?.reason) })
    if (signal?.aborted) throw cancelled()
    const data = {
      taskId,
      prompt: await this.#bodies.write(prompt),
      textInput: textInput === undefined ? null : await this.#bodies.write(textInput),
      session,
      material: { ...material, ...(material.repos && { repos: material.repos.map(withoutCredentials) }) },
    }
    this.#materials.set(taskId, material)
    this.start()
    const cancel = () => void this.cancel(taskId, String(signal?.reason)).catch(() => {})
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await this.#reply(await this.#outcome(taskId, data, origin))
    } finally {
      signal?.removeEventListener('abort', cancel)
      this.#materials.delete(taskId)
    }
  }

  /** Accepts the task, unless it was accepted before, and waits for the fact that ends it. */
  async #outcome(
    taskId: string,
    data: Extract<AgentFact, { type: 'TaskAccepted' }>['data'],
    origin: AskOptions['origin'],
  ): Promise<TaskOutcome> {
    const live = once(this.#events, `outcome ${taskId}`, { signal: this.#closing.signal })
    live.catch(() => {})
    let version = 0
    const [accepted] = await this.#actor.decide(
      ({ value }) => {
        if (value === 'absent') throw new AgentNotFoundError({ agent: this.id, nearest: null })
        if (value === 'stopped') throw new AgentStoppedError({ agent: this.id })
        version = this.version
        return [{ type: 'TaskAccepted', data }]
      },
      { correlationId: taskId, ...origin, commitId: `task/${this.id}/${taskId}` },
    )
    if (accepted && accepted.version <= version) {
      if (JSON.stringify(accepted.data) !== JSON.stringify(data))
        throw new TaskConflictError({ agent: this.id, taskId })
      const past = await this.#outcomeInLog(taskId, accepted.version)
      if (past) return past
    }
    try {
      return (await live)[0] as TaskOutcome
    } catch {
      throw this.#closing.signal.reason
    }
  }

  async #outcomeInLog(taskId: string, after: number): Promise<TaskOutcome | undefined> {
    for await (const recorded of this.#environment.store.read(this.#actor.stream, { after })) {
      const fact = agentFacts.read(recorded)
      if (endsTask(fact, taskId)) return fact as TaskOutcome
    }
    return undefined
  }

  /** Tasks that an earlier process had left without a call in flight simply go on. */
  #reportWaiting(): void {
    const { current, queue } = this.snapshot.context
    const report = (taskId: string, outcome: RecoveryOutcome) =>
      this.#environment.recovered({ agent: this.id, taskId, outcome })
    if (current && !current.call) report(current.taskId, 'retried')
    for (const { taskId } of queue) report(taskId, 'redispatched')
  }

  async #reply({ type, data }: TaskOutcome): Promise<Reply> {
    if (type === 'TaskFailed') throw callErrorFrom(data.error)
    if (type === 'TaskCancelled') throw new TaskCancelledError({ agent: this.id, ...data })
    const { taskId, text, sessionId, parentSessionId, costUsd, usage, durationMs, attempt } = data
    return {
      taskId,
      agent: this.id,
      text: await this.#bodies.read(text),
      sessionId,
      parentSessionId,
      costUsd,
      usage,
      durationMs,
      attempts: attempt,
    }
  }
}
