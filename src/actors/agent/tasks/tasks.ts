/** Accepts an agent's tasks, durably once per id, and returns their replies. */
import { type AgentFact, agentFacts, type Hold, type TaskOutcome } from '../../../events/agent-facts.ts'
import type { Identified, Recorded } from '../../../events/envelope.ts'
import type { ClaudeAgentError } from '../../../events/errors/base.ts'
import { TaskNotFoundError } from '../../../events/errors/history.ts'
import { abortedBecause } from '../../../events/errors/phrases.ts'
import { callErrorFrom } from '../../../events/errors/recorded.ts'
import { CommitConflict } from '../../../events/errors/store.ts'
import { TaskCancelledError, TaskConflictError } from '../../../events/errors/task.ts'
import { ClosedError } from '../../../events/errors/usage.ts'
import { checkTaskId } from '../../../events/ids.ts'
import { checkArgument } from '../../../events/options/decoding.ts'
import {
  checkTaskInput,
  type Material,
  type TaskInput,
  withoutCredentials,
} from '../../../events/task-input.ts'
import { type Bodies, bodiesIn } from '../../engine/bodies.ts'
import { Interest } from '../../engine/wish.ts'
import type { CallEnding } from '../call.ts'
import { BEGIN_HELD, cancelTasks, isHeldForMoney } from '../decisions.ts'
import type { AgentEnvironment, AgentLife } from '../environment.ts'
import type { AgentSnapshot } from '../machine.ts'
import { isSameTask } from '../retention.ts'
import type { AgentWorker, ReadyCall } from '../worker.ts'
import {
  type AskOptions,
  checkAskOptions,
  factOf,
  holdFor,
  type Reply,
  rememberFact,
  TaskHandle,
} from './ask.ts'
import { type AskingStep, type HoldListeners, TaskCaller, TaskChannel } from './channel.ts'
import { heldAt } from './deferral.ts'
import { heldTask, type Verdict } from './held.ts'
import {
  endsTask,
  outcomeElsewhere,
  outcomeInLog,
  type RecordedTask,
  recordedTask,
  refusalIn,
  releasesTask,
  spentOnTask,
  type TaskSpending,
  taskSpending,
} from './known-tasks.ts'
import { RunConversations } from './run-conversations.ts'

type Accepted = Extract<AgentFact, { type: 'TaskAccepted' }>['data']
type AcceptedTexts = Pick<Accepted, 'prompt' | 'textInput'>

/** The agent that the tasks are asked of. */
interface TasksOwner {
  /** Called once a task is valid. */
  start(): void
  /** Whether this process works on its tasks. */
  readonly isStarted: boolean
  /** Takes a decision by which tasks end. */
  endTasks(decide: () => Promise<readonly Recorded[]>): Promise<readonly Recorded[]>
  /** Called when an ask or a task has ended. */
  used(): void
}

export class AgentTasks {
  readonly bodies: Bodies
  readonly channel = new TaskChannel()
  /** The materials of running tasks, with the credentials that the log must not contain. */
  readonly materials = new Map<string, Material>()
  /** The cancellations that are not durable yet, by task: no call of these tasks begins. They never reject. */
  readonly cancelling = new Map<string, Promise<unknown>>()
  /** The steps of runs that wait for their tasks. */
  readonly steps = new Map<string, AskingStep>()
  /** How calls ended that the agent left open when it was halted, by their ids. */
  readonly leftOpen = new Map<string, CallEnding>()
  /** Whether the agent is being removed: its messages begin no task. */
  isLeaving = false
  /** Set when the agent is started. */
  worker: AgentWorker | undefined
  readonly #agent: string
  readonly #life: AgentLife
  #refusal: ClaudeAgentError | undefined
  readonly #environment: AgentEnvironment
  readonly #owner: TasksOwner
  readonly #unobserve: () => void
  /** None as long as no run asks. */
  #conversations: RunConversations | undefined
  /** How many tasks are being accepted. */
  #accepting = 0
  /** The asks that have not ended: they may not be in the log yet. */
  readonly #asked = new Map<string, Promise<Reply>>()
  /** Resolves when the texts of the last asked task are written. */
  #lastWritten: Promise<unknown> = Promise.resolve()
  #writing = 0

  constructor(agent: string, life: AgentLife, environment: AgentEnvironment, owner: TasksOwner) {
    this.#agent = agent
    this.#life = life
    this.#environment = environment
    this.#owner = owner
    this.bodies = bodiesIn(environment.store)
    this.#unobserve = this.#observe()
  }

  /** Whether no ask, reply, cancellation or removal is pending, and tasks are accepted. */
  get isIdle(): boolean {
    const isPending = this.#asked.size + this.cancelling.size > 0 || this.isLeaving
    return !isPending && !this.channel.isHeard && !this.#refusal
  }

  /** Observes its agent no more. */
  leave(): void {
    this.#unobserve()
  }

  /** Resolves with the id of the task when that is durable. */
  accept(task: string | TaskInput, options: AskOptions): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = this.ask(task, options, () => resolve(asked.taskId))
      asked.then(() => resolve(asked.taskId), reject)
    })
  }

  /** @param accepted Called when the task is durable. */
  ask(task: string | TaskInput, options: AskOptions, accepted?: () => void): TaskHandle {
    // Options of another kind are refused with the others.
    const taskId = options?.taskId ?? this.#environment.newId()
    const reply = this.#ask(taskId, task, options, accepted)
    this.#asked.set(taskId, reply)
    const ended = () => {
      if (this.#asked.get(taskId) === reply) this.#asked.delete(taskId)
      this.#owner.used()
    }
    reply.then(ended, ended)
    return new TaskHandle(taskId, reply, this.channel, async (reason) => {
      await this.cancel(taskId, reason)
    })
  }

  /** Waits for the reply to an accepted task. Throws the error that ended the task otherwise, and TaskNotFoundError. */
  async reply(taskId: string, listeners: HoldListeners): Promise<Reply> {
    this.#owner.start()
    const caller = this.#caller(taskId, listeners)
    try {
      await this.#life.use()
      this.#reviewHold(taskId)
      const asked = await this.#askedReply(taskId)
      if (asked) return asked
      const known = await this.#known(taskId)
      if (!known) throw new TaskNotFoundError({ taskId, agent: this.#agent })
      if (!known.outcome && this.#refusal) throw this.#refusal
      const { store } = this.#environment
      const coming = () =>
        this.#owner.isStarted ? caller.outcome() : outcomeElsewhere(known.accepted, store)
      return await this.#reply(known.outcome ?? (await coming()))
    } finally {
      caller.leave()
    }
  }

  /** Counts at once for calls that have not begun. Resolves when it is durable, which may have to wait for room on a disk. */
  async cancel(taskId: string, reason: string, verdict: Verdict = {}): Promise<boolean> {
    checkArgument('The options of cancel', verdict, 'an object')
    const cancelled = this.#cancel(taskId, reason, verdict)
    const pending = cancelled.catch(() => {})
    this.cancelling.set(taskId, pending)
    try {
      return await cancelled
    } finally {
      if (this.cancelling.get(taskId) === pending) this.cancelling.delete(taskId)
    }
  }

  /** See {@link spentOnTask}. */
  spentOn(taskId: string): Promise<TaskSpending> {
    return spentOnTask(this.#environment.store, this.#life.stream, taskId)
  }

  /** Rejects the pending replies: none will come in this process. */
  close(): void {
    this.giveUp(new ClosedError({ what: 'orchestrator', kept: 'task' }))
  }

  /** Rejects the pending replies with the reason; new tasks are accepted. */
  giveUp(reason: unknown): void {
    this.channel.giveUp(reason)
  }

  /** Refuses tasks from now on and rejects pending replies, both with the reason; undefined accepts tasks again. */
  refuse(reason: ClaudeAgentError | undefined): void {
    // The first reason is the one that led to the others.
    this.#refusal = reason && (this.#refusal ?? reason)
    if (reason) this.channel.giveUp(reason)
  }

  async #ask(
    taskId: string,
    task: string | TaskInput,
    options: AskOptions,
    accepted: (() => void) | undefined,
  ): Promise<Reply> {
    checkAskOptions(options)
    const { signal, origin, approval, ...listeners } = options
    checkTaskId(taskId)
    // Tasks of a run that has begun are still accepted.
    if (!origin && !this.#environment.intake.isOpen) throw new ClosedError({ what: 'orchestrator' })
    const { prompt, textInput, ...material } = checkTaskInput(task, {
      allowLocalRepos: this.#environment.runner.allowsLocalRepos ?? false,
    })
    const texts = this.#writtenNow(prompt, textInput) ?? (await this.#writtenInTurn(prompt, textInput))
    const data = this.#taskAsked(taskId, texts, material, options)
    if (!this.#life.current) await this.#life.use()
    if (this.#refusal) return this.#replyDespite(this.#refusal, data)
    // A task that was accepted before has to be cancelled, durably.
    const interest = origin?.interest ?? (signal && new Interest())
    const lose = () => interest?.abort(signal?.reason)
    if (signal?.aborted) lose()
    if (interest?.isWanted === false && !(await this.#known(taskId)))
      throw new TaskCancelledError({ agent: this.#agent, taskId, reason: abortedBecause(interest.reason) })
    if (material.repos) this.materials.set(taskId, material)
    if (origin?.step) this.steps.set(taskId, origin.step)
    this.#owner.start()
    signal?.addEventListener('abort', lose, { once: true })
    let forget: (() => void) | undefined
    const caller = this.#caller(taskId, origin?.step ?? listeners)
    const hold = holdFor(approval)
    try {
      const before = await this.#accept(data, origin, hold, options.taskId === undefined)
      accepted?.()
      // Of a new task, only the hold that it begins with is not told by itself.
      if (before !== undefined || hold) this.#reviewHold(taskId)
      forget = interest?.whenAborted(() => {
        this.cancel(taskId, abortedBecause(interest.reason)).catch(() => {})
      })
      const past =
        before === undefined
          ? undefined
          : await outcomeInLog(taskId, this.#environment.store, this.#life.stream, before)
      return await this.#reply(past ?? (await caller.outcome()))
    } finally {
      caller.leave()
      forget?.()
      signal?.removeEventListener('abort', lose)
      this.materials.delete(taskId)
      this.steps.delete(taskId)
    }
  }

  /** The task as the log has it. */
  #taskAsked(
    taskId: string,
    texts: AcceptedTexts,
    material: Material,
    { session, outputSchema, origin, by }: AskOptions,
  ): Accepted {
    const { continues, runId, woken, askers }: Partial<NonNullable<AskOptions['origin']>> = origin ?? {}
    return {
      taskId,
      ...texts,
      session: session ?? (continues === undefined ? this.#environment.session : 'run'),
      ...(typeof continues === 'string' && session === undefined ? { continues } : {}),
      ...(outputSchema === undefined ? {} : { outputSchema }),
      material: { ...material, ...(material.repos && { repos: material.repos.map(withoutCredentials) }) },
      ...(runId === undefined ? {} : { runId }),
      ...(woken === undefined ? {} : { woken }),
      ...(askers === undefined ? {} : { askers }),
      ...(by && { by }),
    }
  }

  async #cancel(taskId: string, reason: string, { by }: Verdict): Promise<boolean> {
    const decide = () =>
      this.#life.decide(({ context }) => cancelTasks(context, reason, { only: taskId, by }), {
        correlationId: taskId,
      })
    const cancelled = await this.#owner.endTasks(() => this.#life.insist(decide))
    return cancelled.length > 0
  }

  /** Texts that need not be written, if no earlier task waits for its own. */
  #writtenNow(prompt: string, textInput: string | undefined): AcceptedTexts | undefined {
    const { isShort } = this.bodies
    const isReady = this.#writing === 0 && isShort(prompt) && isShort(textInput ?? '')
    return isReady ? { prompt, textInput: textInput ?? null } : undefined
  }

  /** Writes the texts. Waits for those of earlier tasks, however long they are, because tasks keep their order. */
  async #writtenInTurn(prompt: string, textInput: string | undefined): Promise<AcceptedTexts> {
    const before = this.#lastWritten
    const written = Promise.all([
      this.bodies.write(prompt),
      textInput === undefined ? null : this.bodies.write(textInput),
    ])
    const settled = written.catch(() => {})
    this.#lastWritten = before.then(() => settled)
    this.#writing += 1
    try {
      await before
      const [promptBody, textInputBody] = await written
      return { prompt: promptBody, textInput: textInputBody }
    } finally {
      this.#writing -= 1
    }
  }

  /** Makes the task durable. If it already was, returns the version of that fact: the task may have ended since. */
  async #accept(
    data: Accepted,
    origin: AskOptions['origin'],
    hold: Hold | undefined,
    isNew: boolean,
  ): Promise<number | undefined> {
    const isAlone = this.#accepting === 0 && beginsAtOnce(this.#life.snapshot)
    const call = isAlone && !hold ? this.worker?.readyCall(data) : undefined
    this.#accepting += 1
    try {
      const step = origin?.step
      if (!origin || !step || step.isScheduled)
        return await this.#acceptAlone(data, origin, { hold, call, isNew })
      if (call && (await this.#acceptWithStep(data, origin, call, step))) return undefined
      call?.end()
      const causationId = await step.schedule()
      // What was tried together may be in the log.
      return await this.#acceptAlone(data, { ...origin, causationId }, { hold, isNew: !call && step.isNew })
    } finally {
      this.#accepting -= 1
      call?.end()
    }
  }

  /** Accepts a task and begins its call in one append with its step. Returns whether that was possible. */
  async #acceptWithStep(
    data: Accepted,
    { correlationId }: NonNullable<AskOptions['origin']>,
    call: ReadyCall,
    step: AskingStep,
  ): Promise<boolean> {
    const { taskId } = data
    const actor = this.#life.current
    if (!actor) return false
    const part = actor.join((snapshot) => this.#acceptance(snapshot, data, undefined, call), {
      correlationId,
      commitId: this.#commitId(taskId),
      isNew: step.isNew,
      consequences: taskId,
      isFirst: false,
    })
    try {
      await step.schedule(part)
      return true
    } catch {
      // Each part meets its own problem, and finds what of it is in the log all the same.
      return false
    }
  }

  #commitId(taskId: string): string {
    return `task/${this.#agent}/${taskId}`
  }

  /** The facts that accept a task, and begin its call if nothing stands in its way. Throws why it is refused. */
  #acceptance(
    snapshot: AgentSnapshot,
    data: Accepted,
    hold: Hold | undefined,
    call: ReadyCall | undefined,
  ): readonly AgentFact[] {
    const { taskId } = data
    const refusal = refusalIn(snapshot, this.#agent, this.#environment.mailbox)
    if (refusal) throw refusal
    const continues = data.session === 'run' ? this.#conversations?.of(data.runId) : undefined
    const accepted = continues === undefined ? data : { ...data, continues }
    const facts: AgentFact[] = [{ type: 'TaskAccepted', data: accepted }]
    if (hold) facts.push({ type: 'TaskHeld', data: { taskId, hold } })
    if (call && beginsAtOnce(snapshot)) facts.push(...call.announce(snapshot.context, accepted))
    return facts
  }

  async #acceptAlone(
    data: Accepted,
    origin: AskOptions['origin'],
    { hold, call, isNew = false }: { hold?: Hold | undefined; call?: ReadyCall | undefined; isNew?: boolean },
  ): Promise<number | undefined> {
    const { taskId } = data
    const { correlationId = taskId, causationId = null } = origin ?? {}
    let version = 0
    let refusal: unknown
    const decision = (snapshot: AgentSnapshot) => {
      version = this.#life.version
      try {
        return this.#acceptance(snapshot, data, hold, call)
      } catch (error) {
        refusal = error
        throw error
      }
    }
    let accepted: Recorded | undefined
    try {
      const commitId = this.#commitId(taskId)
      const because = { correlationId, causationId, commitId, isNew, ...(call && { consequences: taskId }) }
      accepted = (await this.#life.decide(decision, because))[0]
    } catch (error) {
      if (refusal === undefined) accepted = await this.#committed(error)
      else {
        // A task that was accepted before takes no new place: it is not refused.
        accepted = (await this.#known(taskId))?.accepted
        if (!accepted) throw refusal
      }
    }
    if (!accepted) return undefined
    // An append that failed may have reached the log all the same.
    const isUnheard = accepted.version > this.#life.version
    if (isUnheard) await this.#life.refresh()
    const isRepeated = isUnheard || accepted.version <= version
    if (!isRepeated) return undefined
    if (!isSameTask(accepted.data, data)) throw new TaskConflictError({ agent: this.#agent, taskId })
    return accepted.version
  }

  /** The first fact of the commit that had the same id: the same task may have been asked with another hold, or by another run. */
  async #committed(error: unknown): Promise<Recorded | undefined> {
    if (!(error instanceof CommitConflict)) throw error
    const { position } = error
    for await (const fact of this.#environment.store.readAll({ after: position - 1, to: position }))
      return fact
    return undefined
  }

  /** The reply to an ask of this process; undefined if there is none, or if it was refused. */
  async #askedReply(taskId: string): Promise<Reply | undefined> {
    try {
      return await this.#asked.get(taskId)
    } catch (error) {
      // Refused: an earlier ask may have been accepted.
      if (factOf(error) === undefined) return undefined
      throw error
    }
  }

  #known(taskId: string): Promise<RecordedTask | undefined> {
    return recordedTask(taskId, this.#environment.store, this.#life.stream)
  }

  /** The reply to a task that has ended, from the log. Throws the refusal for any other. */
  async #replyDespite(refusal: ClaudeAgentError, data: Accepted): Promise<Reply> {
    const { taskId } = data
    const known = await this.#known(taskId)
    if (!known) throw refusal
    if (!isSameTask(known.accepted.data, data)) throw new TaskConflictError({ agent: this.#agent, taskId })
    if (!known.outcome) throw refusal
    return this.#reply(known.outcome)
  }

  /** Tells the caller that the task is held, even if it was held before; checks again whether it may begin. */
  #reviewHold(taskId: string): void {
    const { context } = this.#life.snapshot
    const { queue, current } = context
    const hold = current?.taskId === taskId ? heldAt(context) : undefined
    if (hold) this.channel.tell(taskId, { type: 'held', hold })
    const task = queue.find((queued) => queued.taskId === taskId)
    if (task?.hold?.reason === 'approval') this.channel.tell(taskId, { type: 'held', hold: task.hold })
    if (task && isHeldForMoney(task)) this.#life.again(BEGIN_HELD)
  }

  #caller(taskId: string, listeners: HoldListeners): TaskCaller {
    return new TaskCaller(this.channel, taskId, listeners, (hold) =>
      heldTask({ agent: this.#agent, taskId }, hold, this.#environment.admission),
    )
  }

  #observe(): () => void {
    const { current, queue } = this.#life.snapshot.context
    const open = current ? [current, ...queue] : queue
    if (open.some(({ session }) => session === 'run')) this.#conversations = new RunConversations(open)
    return this.#life.observe((recorded) => {
      const { taskId, session } = recorded.data
      if (session === 'run') this.#conversations ??= new RunConversations([])
      this.#conversations?.see(recorded)
      if (typeof taskId === 'string' && endsTask(recorded, taskId)) {
        const outcome = agentFacts.read(recorded) as Identified<TaskOutcome>
        this.channel.tell(taskId, { type: 'ended', outcome })
        // An ask says so itself, once it has its reply.
        if (!this.#asked.has(taskId)) this.#owner.used()
      }
      if (releasesTask(recorded)) this.channel.tell(String(taskId), { type: 'released' })
    })
  }

  async #reply({ type, data, id }: Identified<TaskOutcome>): Promise<Reply> {
    if (type === 'TaskFailed') throw rememberFact(callErrorFrom(data.error), id)
    if (type === 'TaskCancelled')
      throw rememberFact(new TaskCancelledError({ agent: this.#agent, ...data }), id)
    const { taskId, text, sessionId, parentSessionId, durationMs, stopReason, attempt } = data
    const reply = {
      taskId,
      agent: this.#agent,
      text: typeof text === 'string' ? text : await this.bodies.read(text),
      sessionId,
      parentSessionId,
      ...(attempt === 1 ? taskSpending(data) : await this.spentOn(taskId)),
      durationMs,
      stopReason: stopReason ?? null,
      attempts: attempt,
    }
    return rememberFact(reply, id)
  }
}

/** Whether a task may begin as soon as it is accepted. */
const beginsAtOnce = ({ value, context: { current, queue } }: AgentSnapshot): boolean =>
  (value === 'idle' || value === 'error') && current === null && queue.length === 0
