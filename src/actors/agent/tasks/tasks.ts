/** Tasks on their way into an agent's queue, and the replies on their way back. */
import { EventEmitter } from 'node:events'
import { type AgentFact, agentFacts, type Hold, type TaskOutcome } from '../../../events/agent-facts.ts'
import type { Identified } from '../../../events/envelope.ts'
import { AgentNotFoundError, AgentStoppedError, MailboxFullError } from '../../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../../events/errors/base.ts'
import { callErrorFrom } from '../../../events/errors/recorded.ts'
import { TaskCancelledError, TaskConflictError } from '../../../events/errors/task.ts'
import { ClosedError } from '../../../events/errors/usage.ts'
import { checkTaskId } from '../../../events/ids.ts'
import { withoutCredentials } from '../../../events/input-checks.ts'
import type { JsonObject } from '../../../events/json.ts'
import { checkTaskInput, type Material, type TaskInput } from '../../../events/task-input.ts'
import { type Bodies, bodiesIn } from '../../engine/bodies.ts'
import { standingFor } from '../../engine/outcome-facts.ts'
import { endsTask } from '../call.ts'
import { BEGIN_HELD, cancelTasks } from '../decisions.ts'
import type { AgentActor, AgentEnvironment } from '../environment.ts'
import { isSameTask } from '../retention.ts'
import type { AgentContext } from '../state.ts'
import { type HoldListeners, noticeHolds, TaskOutcomes } from './callers.ts'
import { type Reply, TaskHandle } from './handle.ts'
import { type HeldTask, heldTask } from './held.ts'

/** Options of `ask`. */
export interface AskOptions extends HoldListeners {
  /** Aborting it cancels the task. */
  readonly signal?: AbortSignal
  /** Makes the ask idempotent: the same id runs once, ever, and has one reply. Default: a new UUID. */
  readonly taskId?: string
  /** `chain` (the default, unless the orchestrator has another) continues the agent's conversation; `fresh` is a conversation of its own, which leaves no trace
   * in the agent's. */
  readonly session?: 'chain' | 'fresh'
  /** The form that the answer is to have, as a JSON Schema: its text is JSON then. */
  readonly outputSchema?: JsonObject
  /** What led to the task, for those who ask the log later: a run and its step. */
  readonly origin?: {
    readonly correlationId: string
    readonly causationId: string
    readonly runId?: string
  }
  /**
   * Whether somebody must say yes first (`orchestrator.approve`). Until then the task is held, also across restarts; what
   * is asked after it goes on. A string says why, for whoever is to decide.
   */
  readonly approval?: boolean | string
}

type Accepted = Extract<AgentFact, { type: 'TaskAccepted' }>['data']
type AcceptedTexts = Pick<Accepted, 'prompt' | 'textInput'>

export class AgentTasks {
  readonly bodies: Bodies
  /** `message TASK` for each message of its calls. */
  readonly events = new EventEmitter().setMaxListeners(0)
  /** What tasks brought along, with credentials: the log must not hold those. */
  readonly materials = new Map<string, Material>()
  readonly #agent: string
  #actor: AgentActor
  /** While the agent is loaded again: tasks wait until it is there. */
  #loading: Promise<AgentActor> | undefined
  #refusal: ClaudeAgentError | undefined
  readonly #environment: AgentEnvironment
  readonly #outcomes = new TaskOutcomes()
  /** Of the task that was asked last. */
  #lastWritten: Promise<unknown> = Promise.resolve()

  constructor(agent: string, actor: AgentActor, environment: AgentEnvironment) {
    this.#agent = agent
    this.#actor = actor
    this.#environment = environment
    this.bodies = bodiesIn(environment.store)
    this.#observe(actor)
  }

  /** The agent is loaded again: what is asked meanwhile waits for that, and who waits for an answer goes on waiting. */
  reload(loading: Promise<AgentActor>): void {
    this.#loading = loading.then((actor) => {
      this.#actor = actor
      this.#observe(actor)
      this.#loading = undefined
      return actor
    })
    this.#loading.catch(() => {})
  }

  /** Tasks are refused from now on, and who waits for an answer is told why; with nothing they are taken again. */
  refuse(reason: ClaudeAgentError | undefined): void {
    // The first reason is the one that led to the others.
    this.#refusal = reason && (this.#refusal ?? reason)
    if (reason) this.#outcomes.giveUp(reason)
  }

  #observe(actor: AgentActor): void {
    actor.observe((recorded) => {
      const { taskId } = recorded.data
      if (typeof taskId === 'string' && endsTask(recorded, taskId))
        this.#outcomes.settle(taskId, agentFacts.read(recorded) as Identified<TaskOutcome>)
      if (recorded.type === 'CallStarted' || recorded.type === 'TaskApproved')
        this.events.emit(`released ${taskId}`)
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

  /** The reply to a task that was accepted before, when it comes. Throws what ended the task otherwise. */
  async reply(taskId: string, listeners: HoldListeners, start: () => void): Promise<Reply> {
    start()
    const expected = this.#outcomes.expect(taskId)
    const ignoreHolds = noticeHolds(this.events, taskId, listeners, (hold) => this.#held(taskId, hold))
    try {
      this.#lookAtHold(taskId)
      return await this.#reply((await this.#outcomeInLog(taskId, 0)) ?? (await expected.outcome))
    } finally {
      ignoreHolds()
      expected.forget()
    }
  }

  async cancel(taskId: string, reason: string): Promise<boolean> {
    if (this.#loading) await this.#loading
    const cancelled = await this.#actor.decide(({ context }) => cancelTasks(context, reason, taskId), {
      correlationId: taskId,
    })
    return cancelled.length > 0
  }

  /** Whoever waits for a reply is told that it will not come from this process. */
  close(): void {
    this.#outcomes.giveUp(new ClosedError({ what: 'orchestrator' }))
  }

  async #ask(
    taskId: string,
    task: string | TaskInput,
    { signal, session = this.#environment.session, outputSchema, origin, approval, ...listeners }: AskOptions,
    start: () => void,
  ): Promise<Reply> {
    checkTaskId(taskId)
    // What a run has begun it may go on with.
    if (!origin && !this.#environment.intake.isOpen) throw new ClosedError({ what: 'orchestrator' })
    const { prompt, textInput, ...material } = checkTaskInput(task, {
      allowLocalRepos: this.#environment.runner.allowsLocalRepos ?? false,
    })
    const data: Accepted = {
      taskId,
      ...(await this.#writtenInTurn(prompt, textInput)),
      session,
      ...(outputSchema === undefined ? {} : { outputSchema }),
      material: { ...material, ...(material.repos && { repos: material.repos.map(withoutCredentials) }) },
      ...(origin?.runId === undefined ? {} : { runId: origin.runId }),
    }
    if (this.#loading) await this.#loading
    if (this.#refusal) throw this.#refusal
    if (signal?.aborted) {
      throw new TaskCancelledError({ agent: this.#agent, taskId, reason: String(signal.reason) })
    }
    this.materials.set(taskId, material)
    start()
    const cancel = () => void this.cancel(taskId, String(signal?.reason)).catch(() => {})
    const expected = this.#outcomes.expect(taskId)
    const ignoreHolds = noticeHolds(this.events, taskId, listeners, (hold) => this.#held(taskId, hold))
    try {
      const before = await this.#accept(data, origin, holdFor(approval))
      this.#lookAtHold(taskId)
      signal?.addEventListener('abort', cancel, { once: true })
      if (signal?.aborted) cancel()
      const past = before === undefined ? undefined : await this.#outcomeInLog(taskId, before)
      return await this.#reply(past ?? (await expected.outcome))
    } finally {
      expected.forget()
      ignoreHolds()
      signal?.removeEventListener('abort', cancel)
      this.materials.delete(taskId)
    }
  }

  /** A long text takes a while to be put beside the log: whoever asks after it waits, as tasks are done in order. */
  async #writtenInTurn(prompt: string, textInput: string | undefined): Promise<AcceptedTexts> {
    const before = this.#lastWritten
    const written = Promise.all([
      this.bodies.write(prompt),
      textInput === undefined ? null : this.bodies.write(textInput),
    ])
    const settled = written.catch(() => {})
    this.#lastWritten = before.then(() => settled)
    await before
    const [promptBody, textInputBody] = await written
    return { prompt: promptBody, textInput: textInputBody }
  }

  /** Makes the task durable. Returns the version of that fact where it was durable before: it may have ended since. */
  async #accept(
    data: Accepted,
    origin: AskOptions['origin'],
    hold: Hold | undefined,
  ): Promise<number | undefined> {
    const { taskId } = data
    const { mailbox } = this.#environment
    // A task that is known takes no place. Only a full mailbox makes that worth looking up.
    const isFull = ({ queue, current }: AgentContext) => queue.length + (current ? 1 : 0) >= mailbox
    const isKnown = isFull(this.#actor.snapshot.context) && (await this.#isAccepted(taskId))
    const { runId: _, ...led } = origin ?? {}
    let version = 0
    const [accepted] = await this.#actor.decide(
      ({ value, context }) => {
        if (value === 'absent') throw new AgentNotFoundError({ agent: this.#agent, nearest: null })
        if (value === 'stopped') throw new AgentStoppedError({ agent: this.#agent })
        if (!isKnown && isFull(context)) throw new MailboxFullError({ agent: this.#agent, mailbox })
        version = this.#actor.version
        const held: readonly AgentFact[] = hold ? [{ type: 'TaskHeld', data: { taskId, hold } }] : []
        return [{ type: 'TaskAccepted', data }, ...held]
      },
      { correlationId: taskId, ...led, commitId: `task/${this.#agent}/${taskId}` },
    )
    const isRepeated = accepted !== undefined && accepted.version <= version
    if (isRepeated && !isSameTask(accepted.data, data)) {
      throw new TaskConflictError({ agent: this.#agent, taskId })
    }
    return isRepeated ? accepted.version : undefined
  }

  async #isAccepted(taskId: string): Promise<boolean> {
    const { queue, current } = this.#actor.snapshot.context
    if (current?.taskId === taskId || queue.some((waiting) => waiting.taskId === taskId)) return true
    const facts = this.#environment.store.read(this.#actor.stream, { direction: 'backwards' })
    for await (const { type, data } of facts) {
      if (type === 'TaskAccepted' && data.taskId === taskId) return true
    }
    return false
  }

  /** Whoever asks is told that it waits, also when it was held before. Whether there is money now is looked at again. */
  #lookAtHold(taskId: string): void {
    const { queue } = this.#actor.snapshot.context
    const hold = queue.find((task) => task.taskId === taskId)?.hold
    if (hold?.reason === 'approval') this.events.emit(`held ${taskId}`, hold)
    if (hold?.reason === 'budget') this.#actor.again(BEGIN_HELD)
  }

  async #held(taskId: string, hold: Hold): Promise<HeldTask> {
    const budget = hold.reason === 'budget' ? await this.#environment.budgets.of(hold) : null
    return heldTask({ agent: this.#agent, taskId }, hold, budget)
  }

  async #outcomeInLog(taskId: string, after: number): Promise<Identified<TaskOutcome> | undefined> {
    for await (const recorded of this.#environment.store.read(this.#actor.stream, { after })) {
      const fact = agentFacts.read(recorded)
      if (endsTask(fact, taskId)) return fact as Identified<TaskOutcome>
    }
    return undefined
  }

  async #reply({ type, data, id }: Identified<TaskOutcome>): Promise<Reply> {
    if (type === 'TaskFailed') throw standingFor(callErrorFrom(data.error), id)
    if (type === 'TaskCancelled')
      throw standingFor(new TaskCancelledError({ agent: this.#agent, ...data }), id)
    const { taskId, text, sessionId, parentSessionId, costUsd, usage, durationMs, attempt } = data
    const reply = {
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
    return standingFor(reply, id)
  }
}

function holdFor(approval: AskOptions['approval']): Hold | undefined {
  if (approval === undefined || approval === false) return undefined
  return { reason: 'approval', note: typeof approval === 'string' ? approval : null }
}
