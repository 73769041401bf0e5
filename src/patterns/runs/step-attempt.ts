/** One try of a step: what is recorded and told of it. */
import type { AgentRef } from '../../actors/agent/ref.ts'
import { factOf, type Reply, rememberFact } from '../../actors/agent/tasks/ask.ts'
import type { AnswerData, AskingStep } from '../../actors/agent/tasks/channel.ts'
import { taskSpending } from '../../actors/agent/tasks/known-tasks.ts'
import type { Bodies } from '../../actors/engine/bodies.ts'
import type { Part } from '../../actors/engine/part.ts'
import type { Interest } from '../../actors/engine/wish.ts'
import type { Recorded } from '../../events/envelope.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { TaskCancelledError } from '../../events/errors/task.ts'
import type { RunFact } from '../../events/run-facts.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { StepOptions } from '../pattern.ts'
import type { RunActor, RunSnapshot } from './machine.ts'
import { type RecordedStep, stepCost } from './recorded-steps.ts'
import type { Causes } from './step-causes.ts'
import type { StepEvent } from './step-event.ts'

/** The run of a step. */
export interface AttemptContext {
  readonly runId: string
  /** Whether it began just now, under a new id: no agent has a task of it. */
  readonly isNew: boolean
  readonly actor: RunActor
  readonly bodies: Bodies
  notify(event: StepEvent): void
}

export interface AttemptedStep {
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

export class StepAttempt implements AskingStep {
  readonly taskId: string
  readonly isNew: boolean
  readonly #context: AttemptContext
  readonly #step: AttemptedStep
  readonly #tries: number
  /** The fact that scheduled it; before, the one that caused it. */
  #factId: string
  #isScheduled = false
  /** The ids of its facts in the log, by their types. One that was written and not acknowledged is there as well. */
  readonly #inLog = new Map<string, string>()

  constructor(context: AttemptContext, step: AttemptedStep, before: RecordedStep | undefined) {
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
