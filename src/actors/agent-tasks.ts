/** Tasks on their way into an agent's queue, and the replies on their way back. */
import { EventEmitter, once } from 'node:events'
import { type AgentFact, agentFacts, type TaskOutcome } from '../events/agent-facts.ts'
import { callErrorFrom } from '../events/call-errors.ts'
import {
  AgentNotFoundError,
  AgentStoppedError,
  ClosedError,
  TaskCancelledError,
  TaskConflictError,
} from '../events/errors.ts'
import { checkTaskId } from '../events/ids.ts'
import { withoutCredentials } from '../events/input-checks.ts'
import type { JsonObject } from '../events/json.ts'
import { checkTaskInput, type Material, type TaskInput } from '../events/task-input.ts'
import { endsTask } from './agent-call.ts'
import { cancelTasks } from './agent-decisions.ts'
import type { AgentActor, AgentEnvironment } from './agent-worker.ts'
import { type Bodies, bodiesIn } from './bodies.ts'
import { isSameTask } from './retention.ts'
import { type Reply, TaskHandle } from './task-handle.ts'

export interface AskOptions {
  /** Aborting it cancels the task. */
  readonly signal?: AbortSignal
  /** Makes the ask idempotent: the same id runs once, ever, and has one reply. Default: a new UUID. */
  readonly taskId?: string
  /** `chain` (the default) continues the agent's conversation; `fresh` is a conversation of its own, which leaves no trace
   * in the agent's. */
  readonly session?: 'chain' | 'fresh'
  /** The form that the answer is to have, as a JSON Schema: its text is JSON then. */
  readonly outputSchema?: JsonObject
  /** What led to the task, for those who ask the log later: a run and its step. */
  readonly origin?: { readonly correlationId: string; readonly causationId: string }
}

type Accepted = Extract<AgentFact, { type: 'TaskAccepted' }>['data']

export class AgentTasks {
  readonly bodies: Bodies
  /** `message TASK` for each message of its calls; `outcome TASK` for the fact that ends it. */
  readonly events = new EventEmitter().setMaxListeners(0)
  /** What tasks brought along, with credentials: the log must not hold those. */
  readonly materials = new Map<string, Material>()
  readonly #agent: string
  readonly #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #closing = new AbortController()

  constructor(agent: string, actor: AgentActor, environment: AgentEnvironment) {
    this.#agent = agent
    this.#actor = actor
    this.#environment = environment
    this.bodies = bodiesIn(environment.store)
    actor.observe((recorded) => {
      const fact = agentFacts.read(recorded)
      if ('taskId' in fact.data && endsTask(fact, fact.data.taskId)) {
        this.events.emit(`outcome ${fact.data.taskId}`, fact)
      }
    })
  }

  /** @param start Lets the agent work; called once the task is known to be one. */
  ask(task: string | TaskInput, options: AskOptions, start: () => void): TaskHandle {
    const taskId = options.taskId ?? this.#environment.newId()
    const reply = this.#ask(taskId, task, options, start)
    return new TaskHandle(taskId, reply, this.events, async (reason) => {
      await this.cancel(taskId, reason)
    })
  }

  async cancel(taskId: string, reason: string): Promise<boolean> {
    const cancelled = await this.#actor.decide(({ context }) => cancelTasks(context, reason, taskId), {
      correlationId: taskId,
    })
    return cancelled.length > 0
  }

  /** Whoever waits for a reply is told that it will not come from this process. */
  close(): void {
    this.#closing.abort(new ClosedError({ what: 'orchestrator' }))
  }

  async #ask(
    taskId: string,
    task: string | TaskInput,
    { signal, session = 'chain', outputSchema, origin }: AskOptions,
    start: () => void,
  ): Promise<Reply> {
    checkTaskId(taskId)
    const { prompt, textInput, ...material } = checkTaskInput(task, {
      allowLocalRepos: this.#environment.runner.allowsLocalRepos ?? false,
    })
    const data: Accepted = {
      taskId,
      prompt: await this.bodies.write(prompt),
      textInput: textInput === undefined ? null : await this.bodies.write(textInput),
      session,
      ...(outputSchema === undefined ? {} : { outputSchema }),
      material: { ...material, ...(material.repos && { repos: material.repos.map(withoutCredentials) }) },
    }
    if (signal?.aborted) {
      throw new TaskCancelledError({ agent: this.#agent, taskId, reason: String(signal.reason) })
    }
    this.materials.set(taskId, material)
    start()
    const cancel = () => void this.cancel(taskId, String(signal?.reason)).catch(() => {})
    try {
      const outcome = await this.#accept(data, origin)
      signal?.addEventListener('abort', cancel, { once: true })
      if (signal?.aborted) cancel()
      return await this.#reply(await outcome())
    } finally {
      signal?.removeEventListener('abort', cancel)
      this.materials.delete(taskId)
    }
  }

  /** Makes the task durable, unless it is already. Returns how to wait for the fact that ends it. */
  async #accept(data: Accepted, origin: AskOptions['origin']): Promise<() => Promise<TaskOutcome>> {
    const { taskId } = data
    const live = once(this.events, `outcome ${taskId}`, { signal: this.#closing.signal })
    live.catch(() => {})
    let version = 0
    const [accepted] = await this.#actor.decide(
      ({ value }) => {
        if (value === 'absent') throw new AgentNotFoundError({ agent: this.#agent, nearest: null })
        if (value === 'stopped') throw new AgentStoppedError({ agent: this.#agent })
        version = this.#actor.version
        return [{ type: 'TaskAccepted', data }]
      },
      { correlationId: taskId, ...origin, commitId: `task/${this.#agent}/${taskId}` },
    )
    const isRepeated = accepted !== undefined && accepted.version <= version
    if (isRepeated && !isSameTask(accepted.data, data)) {
      throw new TaskConflictError({ agent: this.#agent, taskId })
    }
    return async () => {
      const past = isRepeated ? await this.#outcomeInLog(taskId, accepted.version) : undefined
      if (past) return past
      try {
        return (await live)[0] as TaskOutcome
      } catch {
        throw this.#closing.signal.reason
      }
    }
  }

  async #outcomeInLog(taskId: string, after: number): Promise<TaskOutcome | undefined> {
    for await (const recorded of this.#environment.store.read(this.#actor.stream, { after })) {
      const fact = agentFacts.read(recorded)
      if (endsTask(fact, taskId)) return fact as TaskOutcome
    }
    return undefined
  }

  async #reply({ type, data }: TaskOutcome): Promise<Reply> {
    if (type === 'TaskFailed') throw callErrorFrom(data.error)
    if (type === 'TaskCancelled') throw new TaskCancelledError({ agent: this.#agent, ...data })
    const { taskId, text, sessionId, parentSessionId, costUsd, usage, durationMs, attempt } = data
    return {
      taskId,
      agent: this.#agent,
      text: await this.bodies.read(text),
      sessionId,
      parentSessionId,
      costUsd,
      usage,
      durationMs,
      attempts: attempt,
    }
  }
}
