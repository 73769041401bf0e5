/**
 * The `ask` of a durable run: answered from the log, or asked of an agent and recorded. A `StepAttempt` is one try of a step.
 *
 * A1. A step is scheduled in the log before its agent has its task, or together with it; its task id follows from the run,
 *     the step and the try, so a step that a crash interrupted continues as the same task.
 * A2. Recorded answers are handed over before anything is awaited, and a real ask begins a microtask later: when a race
 *     is resumed, the winner is known before a loser has begun.
 * A3. The outcome of an ask is in the log before the pattern gets it. A step whose task has not ended stays scheduled, and
 *     the next execution continues it: when the process ends, and when the agent refuses but keeps the task.
 * A4. An execution that is left cancels nothing and records nothing more: the next one has the run.
 *
 * What the neighbours add: `hand-over.ts` hands answers to the pattern, in a loop, and says which of them led to an ask;
 * `step-key.ts` names a step by its content; `workers.ts` assigns the agent that answers it, or a copy from a pool;
 * `rememberFact` and `factOf` (in `ask.ts` of the agent's tasks) link a reply or an error to the fact that recorded it;
 * `abandoned-steps.ts` cancels the steps that no ask claims any more.
 */
import { Observable } from 'rxjs'
import type { AgentRef } from '../../actors/agent/ref.ts'
import type { AgentSystem } from '../../actors/agent/system.ts'
import { factOf, type Reply, rememberFact } from '../../actors/agent/tasks/ask.ts'
import type { AnswerData, AskingStep } from '../../actors/agent/tasks/channel.ts'
import { taskSpending } from '../../actors/agent/tasks/known-tasks.ts'
import type { Bodies } from '../../actors/engine/bodies.ts'
import type { Part } from '../../actors/engine/part.ts'
import { Interest } from '../../actors/engine/wish.ts'
import type { Clock } from '../../clock.ts'
import type { Recorded } from '../../events/envelope.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { StoreReadOnly } from '../../events/errors/store.ts'
import { TaskCancelledError } from '../../events/errors/task.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import type { StepLanding } from '../../events/options/landing.ts'
import type { RunFact } from '../../events/run-facts.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { LandWork } from '../../landing/step-landing.ts'
import { type Answer, carryMissing, madeOf, rememberLost, stepError } from '../answers.ts'
import { type Ask, type StepOptions, stepName, type Worker } from '../pattern.ts'
import { cancelAbandoned } from './abandoned-steps.ts'
import { HandOver } from './hand-over.ts'
import type { RunActor, RunSnapshot } from './machine.ts'
import { type RecordedStep, stepCost } from './recorded-steps.ts'
import type { StepEvent } from './step-event.ts'
import { type AskedStep, configFingerprint, StepNumbers, stepKeyOf } from './step-key.ts'
import { type CopyUse, Workers } from './workers.ts'

export interface AskContext {
  readonly runId: string
  /** Whether it began just now, under a new id: no agent has a task of it. */
  readonly isNew: boolean
  readonly actor: RunActor
  readonly bodies: Bodies
  /** The id of the fact that began this execution. */
  readonly begun: string
  readonly agents: AgentSystem
  readonly clock: Clock
  /** The session of asks that choose none; undefined in runs of older logs. */
  readonly session: StepOptions['session']
  /** The steps that the log recorded before this execution. */
  readonly steps: ReadonlyMap<string, RecordedStep>
  /** The texts of the recorded answers, by step key. */
  readonly answers: ReadonlyMap<string, string>
  /** Of the agents that the log names, so that recorded answers are found without awaiting anything (A2). */
  readonly fingerprints: Map<string, string>
  readonly copyUse: CopyUse
  readonly land: LandWork
  /** Throws where nothing lands. */
  readonly assertLands: () => void
  notify(event: StepEvent): void
}

/** Why a fact of a run was recorded, as ids of facts. */
interface Causes {
  readonly causationId: string
  /** The answers that it was made from; no field if there are none. */
  readonly uses: { readonly uses?: readonly string[] }
}

export class DurableAsk {
  readonly handOver: HandOver
  readonly #context: AskContext
  readonly #numbers: StepNumbers
  /** The sessions of the last answers in the run's own conversations, by worker. */
  readonly #conversations = new Map<string, string>()
  readonly #workers: Workers
  readonly #open = new Map<Promise<void>, Interest>()
  /** Steps that an earlier execution scheduled and this one has not asked for yet. */
  readonly #unclaimed = new Map<string, RecordedStep>()
  /** Steps whose agent refused to answer for now, and kept the task. */
  readonly #kept = new Map<string, RecordedStep>()
  /** The attempts that have not ended, by their steps. */
  readonly #attempts = new Map<string, StepAttempt>()
  readonly #forget: () => void
  #asks = 0
  #isLeft = false
  #leave = () => {}
  readonly #left = new Promise<void>((resolve) => {
    this.#leave = resolve
  })

  /** @param fail Called when the pattern will have no result: see {@link HandOver}. */
  constructor(context: AskContext, fail: (error: unknown) => void) {
    this.#context = context
    this.#numbers = new StepNumbers(context.session)
    this.handOver = new HandOver(context.clock, context.runId, fail)
    this.#workers = new Workers(context.agents, context.runId, context.copyUse, context.steps.values())
    for (const step of context.steps.values())
      if (step.state === 'scheduled') this.#unclaimed.set(step.stepKey, step)
    this.#forget = context.actor.observe((recorded) =>
      this.#attempts.get(String(recorded.data.stepKey))?.see(recorded),
    )
  }

  readonly ask: Ask = (worker, task, options = {}) =>
    new Observable<Answer>((subscriber) => {
      const agent = stepName(worker)
      const { handOver } = this
      const numbered = this.#numbers.next(agent, task, options)
      const fingerprint = this.#context.fingerprints.get(agent)
      const asked: NumberedAsk = {
        stepKey: fingerprint === undefined ? undefined : stepKeyOf(numbered, fingerprint),
        ask: ++this.#asks,
        leading: handOver.begin(),
        ...numbered,
      }
      this.#workers.expect(worker)
      const emit = (text: string, factId: string | undefined) =>
        handOver.end(factId, () => {
          subscriber.next({ agent, text, ...(factId !== undefined && { facts: [factId] }) })
          subscriber.complete()
        })
      const known = this.#recorded(asked)
      if (known) this.#converse(known, options)
      if (known && !options.land) return emit(known.text, known.factId)
      const interest = new Interest()
      queueMicrotask(() => {
        if (!interest.isWanted || this.isLeft) return handOver.end(undefined)
        const answering =
          known && options.land
            ? this.#land(known, options.land, interest).then(() =>
                rememberFact({ text: known.text }, known.factId),
              )
            : this.#askWorker(worker, task, options, asked, interest)
        const asking = answering.then(
          (reply) => {
            this.#open.delete(asking)
            emit(reply.text, factOf(reply))
          },
          (error) => {
            this.#open.delete(asking)
            const failure = rememberLost(error, [stepError(agent, error)])
            handOver.end(factOf(error), () => subscriber.error(failure))
          },
        )
        this.#open.set(asking, interest)
      })
      return () => this.#lose(interest)
    }).pipe(carryMissing(options.from))

  /**
   * @param from The answers that an ask, or the result of the run, is made from.
   * @param leading What led to it otherwise; the beginning of the execution if that is not known.
   */
  causesOf(from: readonly Answer[], leading: string | undefined): Causes {
    const { facts: uses } = madeOf(from)
    return {
      causationId: uses?.at(-1) ?? leading ?? this.#context.begun,
      uses: uses === undefined ? {} : { uses },
    }
  }

  /** Cancels the asks that are still open: a pattern that ran out of stack does not unsubscribe from them. */
  abandon(): void {
    for (const interest of this.#open.values()) this.#lose(interest)
  }

  /** Ends this execution with an error: another one has the run, or will. What it has asked continues. */
  leave(error: unknown): void {
    this.#isLeft = true
    this.#leave()
    this.handOver.leave(error)
  }

  /** Whether it is left, or the run has an actor elsewhere. */
  get isLeft(): boolean {
    return this.#isLeft || this.#context.actor.closed
  }

  /** Nothing waits for the answer any more. */
  #lose(interest: Interest): void {
    if (!this.isLeft) interest.abort(NO_LONGER_NEEDED)
  }

  /**
   * Resolves when every ask has ended and is recorded. Then it cancels the steps that an earlier execution scheduled and
   * this one did not need, and removes the copies of pools.
   */
  async settle({ forGood }: { readonly forGood: boolean }): Promise<void> {
    while (this.#open.size > 0 && !this.isLeft)
      await Promise.race([Promise.all(this.#open.keys()), this.#left])
    this.#forget()
    const { actor, agents, runId } = this.#context
    // The next execution continues the steps.
    if (this.isLeft) return
    const reason = 'the workflow no longer needs it'
    const abandoned = [...this.#unclaimed.values(), ...(forGood ? this.#kept.values() : [])]
    const facts = await cancelAbandoned(agents, abandoned, { reason, forGood })
    if (facts.length > 0) await actor.insist(() => actor.decide(() => facts, { correlationId: runId }))
    await actor.insist(() => this.#workers.dismiss())
  }

  /** The answer from the log; undefined if it has none. */
  #recorded({ ask, stepKey }: NumberedAsk) {
    if (stepKey === undefined) return undefined
    const step = this.#context.steps.get(stepKey)
    const text = this.#context.answers.get(stepKey)
    if (step?.state !== 'succeeded' || text === undefined) return undefined
    this.#context.notify({ ...step, ask, state: 'reused', text })
    return { ...step, text }
  }

  /** Assigns a worker, and asks it. */
  async #askWorker(
    worker: Worker,
    task: TaskInput,
    options: StepOptions,
    asked: NumberedAsk,
    interest: Interest,
  ): Promise<Reply> {
    // Before it is paid for.
    if (options.land) this.#context.assertLands()
    const agent = stepName(worker)
    const stepKey = asked.stepKey ?? stepKeyOf(asked, await this.#fingerprint(agent))
    const before = this.#context.steps.get(stepKey)
    const previous = before?.state === 'scheduled' ? before.worker : undefined
    const assigned = await this.#workers.assign(worker, previous)
    try {
      if (this.isLeft) throw new ClosedError({ what: 'orchestrator' })
      if (!interest.isWanted)
        throw new TaskCancelledError({ agent, taskId: stepKey, reason: NO_LONGER_NEEDED })
      this.#unclaimed.delete(stepKey)
      const causes = this.causesOf(options.from ?? [], asked.leading)
      const step = { stepKey, ask: asked.ask, agent, worker: assigned.agent, task, options, interest, causes }
      const reply = await this.#attempt(step, before)
      if (options.land) await this.#land({ stepKey, worker: assigned.agent.id }, options.land, interest)
      return reply
    } finally {
      assigned.release()
    }
  }

  /** The request has the name of the step, so it is queued once. */
  #land(
    { stepKey, worker }: Pick<RecordedStep, 'stepKey' | 'worker'>,
    land: StepLanding,
    { signal }: Interest,
  ): Promise<void> {
    const { runId } = this.#context
    return this.#context.land(worker, { ...land, runId, requestId: `${runId}.${stepKey}` }, signal)
  }

  /** Has its worker schedule the step with the task, and records the outcome. */
  async #attempt(step: AttemptedStep, before: RecordedStep | undefined): Promise<Reply> {
    const { stepKey, worker, interest } = step
    const { actor, runId } = this.#context
    const { from: _, land: __, session = this.#context.session, ...options } = step.options
    const attempt = new StepAttempt(this.#context, step, before)
    const { taskId } = attempt
    this.#attempts.set(stepKey, attempt)
    try {
      const reply = await worker.ask(step.task, {
        taskId,
        ...options,
        ...(session === 'run' || session === undefined ? {} : { session }),
        origin: {
          correlationId: runId,
          causationId: attempt.factId,
          runId,
          step: attempt,
          interest,
          ...(session === 'run' && { continues: this.#conversations.get(worker.id) ?? null }),
        },
      })
      const succeeded = attempt.answeredBy ?? (await attempt.recordAnswer(reply))
      const { sessionId, costUsd, tokens, text } = reply
      this.#converse({ worker: worker.id, sessionId }, step.options)
      attempt.notify('succeeded', { costUsd, tokens, text })
      return rememberFact(reply, succeeded)
    } catch (error) {
      // The process ends: the next one continues the task, and with it the step.
      if (error instanceof ClosedError || actor.closed) throw error
      if (!attempt.isScheduled) await attempt.schedule()
      if (factOf(error) === undefined && mayHaveTask(worker, taskId, error)) {
        this.#kept.set(stepKey, attempt.recorded)
        attempt.notify('failed', { problem: callErrorData(error).message })
        throw error
      }
      await attempt.recordFailure(error)
      // The task was cancelled before this execution asked for it.
      if (before?.state === 'scheduled' && error instanceof TaskCancelledError && interest.isWanted)
        return this.#attempt(step, { ...before, state: 'cancelled' })
      throw error
    } finally {
      if (this.#attempts.get(stepKey) === attempt) this.#attempts.delete(stepKey)
    }
  }

  /** What is asked of the worker next continues from this answer. */
  #converse(
    { worker, sessionId }: Pick<RecordedStep, 'worker' | 'sessionId'>,
    { session }: StepOptions,
  ): void {
    const isOwn = (session ?? this.#context.session) === 'run'
    if (isOwn && sessionId) this.#conversations.set(worker, sessionId)
  }

  async #fingerprint(agent: string): Promise<string> {
    const known = this.#context.fingerprints.get(agent)
    if (known !== undefined) return known
    const { config } = (await this.#context.agents.get(agent)).snapshot.context
    const fingerprint = configFingerprint(config)
    this.#context.fingerprints.set(agent, fingerprint)
    return fingerprint
  }
}

interface AttemptedStep {
  readonly stepKey: string
  readonly ask: number
  readonly agent: string
  /** The agent itself, or its copy in a pool. */
  readonly worker: AgentRef
  readonly task: TaskInput
  readonly options: StepOptions
  readonly interest: Interest
  readonly causes: Causes
}

/** One try of a step: what is recorded and told of it. */
class StepAttempt implements AskingStep {
  readonly taskId: string
  readonly isNew: boolean
  readonly #context: AskContext
  readonly #step: AttemptedStep
  readonly #tries: number
  /** The fact that scheduled it; before, the one that caused it. */
  #factId: string
  #isScheduled = false
  /** The ids of its facts in the log, by their types. One that was written and not acknowledged is there as well. */
  readonly #inLog = new Map<string, string>()

  constructor(context: AskContext, step: AttemptedStep, before: RecordedStep | undefined) {
    this.#context = context
    this.#step = step
    // Scheduled before a crash: the agent knows the task by its id, and may have answered it since.
    const isOpen = before?.state === 'scheduled'
    this.isNew = context.isNew && before === undefined
    this.#tries = (before?.tries ?? 0) + (isOpen ? 0 : 1)
    this.taskId = isOpen ? before.taskId : `${context.runId}.${step.stepKey}.${this.#tries}`
    this.#factId = step.causes.causationId
    if (isOpen) this.#scheduled(before.factId)
  }

  get factId(): string {
    return this.#factId
  }

  get isScheduled(): boolean {
    return this.#isScheduled
  }

  get recorded(): RecordedStep {
    return this.#named({ ...SCHEDULED, tries: this.#tries, factId: this.#factId })
  }

  /** The fact of its answer, if that is in the log. */
  get answeredBy(): string | undefined {
    return this.#inLog.get('StepSucceeded')
  }

  /** A fact about the step was recorded. */
  see({ type, id }: Recorded): void {
    this.#inLog.set(type, id)
  }

  async schedule(accepting?: Part): Promise<string> {
    const { causes } = this.#step
    const fact: RunFact = { type: 'StepScheduled', data: this.#named(causes.uses) }
    if (!accepting) return this.#scheduled(await this.#record(fact, causes.causationId))
    const { actor, runId } = this.#context
    const origin = { correlationId: runId, causationId: causes.causationId }
    const [recorded] = await actor.decide(() => [fact], origin, accepting)
    return this.#scheduled(recorded?.id ?? causes.causationId)
  }

  succeed(answering: Part, answer: AnswerData): Promise<unknown> {
    const { actor, runId } = this.#context
    const { stepKey, agent } = this.#step
    const { sessionId, durationMs } = answer
    const { costUsd, tokens } = taskSpending(answer)
    // The text is in the agent's fact, which is in the same append.
    const answered = (): RunFact => ({
      type: 'StepSucceeded',
      data: { stepKey, agent, sessionId, costUsd, tokens, durationMs, answer: answering.version + 1 },
    })
    const decision = ({ value }: RunSnapshot) => (value === 'running' ? [answered()] : [])
    return actor.decide(decision, { correlationId: runId }, answering)
  }

  /** Records an answer that was not recorded together with that of its agent. Returns the id of the fact. */
  async recordAnswer(reply: Reply): Promise<string> {
    const { actor, bodies } = this.#context
    const { stepKey, agent } = this.#step
    const { sessionId, costUsd, tokens, durationMs } = reply
    const text = await actor.insist(() => bodies.keep(reply.text))
    const data = { stepKey, agent, sessionId, costUsd, tokens, durationMs, text }
    return this.#record({ type: 'StepSucceeded', data }, factOf(reply) ?? this.#factId)
  }

  async recordFailure(error: unknown): Promise<void> {
    const { stepKey, agent, worker, interest } = this.#step
    const isCancelled = !interest.isWanted || error instanceof TaskCancelledError
    const spent = await stepCost(worker, this.taskId)
    const data = { stepKey, agent, error: callErrorData(error), cancelled: isCancelled, ...spent }
    rememberFact(error, await this.#record({ type: 'StepFailed', data }, factOf(error) ?? this.#factId))
    this.notify(isCancelled ? 'cancelled' : 'failed', { ...spent, problem: data.error.message })
  }

  notify(state: StepEvent['state'], news: Partial<StepEvent> = {}): void {
    const { stepKey, ask, agent } = this.#step
    const { costUsd = 0, tokens = 0, text = null, problem = null } = news
    this.#context.notify({ stepKey, ask, agent, state, costUsd, tokens, text, problem })
  }

  onHeld({ message }: { readonly message: string }): void {
    this.notify('held', { problem: message })
  }

  onReleased(): void {
    this.notify('released')
  }

  #named<T>(more: T) {
    const { stepKey, agent, worker } = this.#step
    return { stepKey, agent, worker: worker.id, taskId: this.taskId, ...more }
  }

  #scheduled(factId: string): string {
    this.#isScheduled = true
    this.#factId = factId
    this.notify('scheduled')
    return factId
  }

  /** Returns the id of the fact. Waits for room on a full disk: what happened to a step is not repeated. */
  async #record(fact: RunFact, causationId: string): Promise<string> {
    const { actor, runId: correlationId } = this.#context
    const decision = () => (this.#inLog.has(fact.type) ? [] : [fact])
    await actor.insist(() => actor.decide(decision, { correlationId, causationId }))
    return this.#inLog.get(fact.type) ?? causationId
  }
}

const SCHEDULED = {
  ...{ state: 'scheduled' as const, sessionId: null, text: null, problem: null, carriedFrom: null },
  ...{ costUsd: 0, tokens: 0, durationMs: 0 },
} as const

/** Whether the agent has the task, although it did not answer. After a failed append it is unknown what was written. */
function mayHaveTask({ snapshot }: AgentRef, taskId: string, error: unknown): boolean {
  const { current, queue } = snapshot.context
  const isOpen = current?.taskId === taskId || queue.some((queued) => queued.taskId === taskId)
  return isOpen || error instanceof StoreReadOnly || !(error instanceof ClaudeAgentError)
}

interface NumberedAsk extends AskedStep {
  /** undefined if the agent is not known yet. */
  readonly stepKey: string | undefined
  readonly ask: number
  readonly leading: string | undefined
}

const NO_LONGER_NEEDED = 'the workflow no longer needs the answer'
