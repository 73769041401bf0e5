/** The `ask` of a durable run: what was answered is answered from the log, and everything else is written down. */
import { Observable } from 'rxjs'
import type { AgentSystem } from '../../actors/agent/system.ts'
import type { HoldListeners } from '../../actors/agent/tasks/callers.ts'
import type { Reply } from '../../actors/agent/tasks/handle.ts'
import type { EventSourcedActor } from '../../actors/engine/actor.ts'
import type { Bodies } from '../../actors/engine/bodies.ts'
import type { Effect } from '../../actors/engine/definition.ts'
import { factOf, standingFor } from '../../actors/engine/outcome-facts.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { TaskCancelledError } from '../../events/errors/task.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import type { RunFact } from '../../events/run-facts.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { Answer, Ask, StepOptions, Worker } from '../pattern.ts'
import { callOff, copiedAgents } from './left-steps.ts'
import type { runMachine } from './machine.ts'
import type { RecordedStep } from './recorded-steps.ts'
import { type Causes, StepCauses } from './step-causes.ts'
import { type AskedStep, configFingerprint, StepNumbers, stepKeyOf } from './step-key.ts'
import { type CopyUse, Workers } from './workers.ts'

/** What goes on in a run. */
export interface StepEvent {
  readonly stepKey: string
  /** Which ask of this execution it is, from 1. */
  readonly ask: number
  readonly agent: string
  /** `held`: it waits for a yes, or for room in a budget; `released`: it goes on. */
  readonly state: 'scheduled' | 'held' | 'released' | 'reused' | 'succeeded' | 'failed' | 'cancelled'
  readonly costUsd: number
  readonly tokens: number
  /** The answer, where there is one. */
  readonly text: string | null
  readonly problem: string | null
}

export type RunActor = EventSourcedActor<typeof runMachine, Effect>

export interface AskContext {
  readonly runId: string
  readonly actor: RunActor
  /** The id of the fact with which this execution began. */
  readonly begun: string
  readonly agents: AgentSystem
  readonly bodies: Bodies
  /** What the log knows; kept up to date. */
  readonly steps: Map<string, RecordedStep>
  /** The answers that the log has, as text. */
  readonly answers: ReadonlyMap<string, string>
  /** Of the agents that the log names, so that their answers can be found without waiting. */
  readonly fingerprints: Map<string, string>
  readonly copyUse: CopyUse
  notify(event: StepEvent): void
}

export class DurableAsk {
  readonly causes: StepCauses
  readonly #context: AskContext
  readonly #numbers = new StepNumbers()
  readonly #workers: Workers
  readonly #open = new Set<Promise<void>>()
  /** Steps that an earlier execution had begun, and this one has not asked for yet. */
  readonly #left = new Map<string, RecordedStep>()
  #asks = 0

  constructor(context: AskContext) {
    this.#context = context
    this.causes = new StepCauses(context.begun)
    this.#workers = new Workers(context.agents, context.copyUse, copiedAgents(context.steps.values()))
    for (const step of context.steps.values())
      if (step.state === 'scheduled') this.#left.set(step.stepKey, step)
  }

  /**
   * An answer from the log is emitted at once, a real ask begins a microtask later: so in a race that is resumed the
   * winner is known before a loser has begun.
   */
  readonly ask: Ask = (worker, task, options = {}) =>
    new Observable<Answer>((subscriber) => {
      const agent = nameOf(worker)
      const { causes } = this
      const asked = {
        ...this.#numbers.next(agent, task, options),
        ask: ++this.#asks,
        leading: causes.begin(),
      }
      const fingerprint = this.#context.fingerprints.get(agent)
      this.#workers.expect(worker)
      const known = fingerprint === undefined ? undefined : this.#recorded(asked, fingerprint)
      const emit = (answer: Answer) => {
        subscriber.next(answer)
        subscriber.complete()
      }
      if (known) {
        causes.end(known, () => emit(known.answer))
        return undefined
      }
      const stop = new AbortController()
      let isOver = false
      queueMicrotask(() => {
        if (stop.signal.aborted) return causes.end({ factId: undefined })
        const asking = this.#askNow(worker, task, options, asked, stop.signal).then(
          (answer) => {
            isOver = true
            causes.end({ factId: factOf(answer), text: answer.text }, () => emit(answer))
          },
          (error) => {
            isOver = true
            causes.end({ factId: factOf(error) }, () => subscriber.error(error))
          },
        )
        this.#open.add(asking)
        asking.finally(() => this.#open.delete(asking))
      })
      return () => {
        // There is nothing to stop then, and aborting costs more than an answer.
        if (!isOver) stop.abort('the workflow no longer needs the answer')
      }
    })

  /**
   * Resolves when all that was asked has come to its end, and been written down. Then what an earlier execution had begun
   * and this one did not need is called off, and the copies of pools go.
   */
  async settle({ forGood }: { readonly forGood: boolean }): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open)
    const { actor, agents } = this.#context
    // When the process ends, what they do is gone on with by the next one.
    if (actor.closed) return
    const reason = 'the workflow no longer needs it'
    const facts = await callOff(agents, this.#left.values(), { reason, forGood })
    if (facts.length > 0) await actor.decide(() => facts, { correlationId: this.#context.runId })
    await this.#workers.dismiss()
  }

  #recorded({ ask, ...asked }: Asked, fingerprint: string) {
    const stepKey = stepKeyOf(asked, fingerprint)
    const step = this.#context.steps.get(stepKey)
    const text = this.#context.answers.get(stepKey)
    if (step?.state !== 'succeeded' || text === undefined) return undefined
    this.#context.notify({ ...step, ask, state: 'reused', text })
    return { answer: { agent: step.agent, text }, factId: step.factId, text }
  }

  async #askNow(
    worker: Worker,
    task: TaskInput,
    options: StepOptions,
    asked: Asked,
    signal: AbortSignal,
  ): Promise<Answer> {
    const agent = nameOf(worker)
    const stepKey = stepKeyOf(asked, await this.#fingerprint(agent))
    const before = this.#context.steps.get(stepKey)
    const hired = await this.#workers.hire(worker, before?.state === 'scheduled' ? before.worker : undefined)
    try {
      if (signal.aborted)
        throw new TaskCancelledError({ agent, taskId: stepKey, reason: String(signal.reason) })
      this.#left.delete(stepKey)
      const reply = await this.#try(
        {
          ...{ stepKey, ask: asked.ask, agent, signal, before, hired: hired.agent.id },
          causes: this.causes.of([task.prompt, task.textInput], asked.leading),
        },
        (origin, taskId, listeners) =>
          hired.agent.ask(task, { taskId, signal, ...options, origin, ...listeners }),
      )
      return standingFor({ agent, text: reply.text }, factOf(reply))
    } finally {
      hired.release()
    }
  }

  /** Schedules, asks, and writes down what came of it. */
  async #try(
    step: Attempt,
    ask: (
      origin: { correlationId: string; causationId: string; runId: string },
      taskId: string,
      listeners: HoldListeners,
    ) => PromiseLike<Reply>,
  ): Promise<Reply> {
    const { stepKey, ask: number, agent, signal, before } = step
    const { actor, bodies, runId, notify } = this.#context
    // Begun before a crash: the agent knows the task by its id, and may have finished it since.
    const isOpen = before?.state === 'scheduled'
    const tries = (before?.tries ?? 0) + (isOpen ? 0 : 1)
    const taskId = isOpen ? before.taskId : `${runId}.${stepKey}.${tries}`
    const { causationId, uses } = step.causes
    const data = { stepKey, agent, worker: step.hired, taskId, ...uses }
    const factId = isOpen ? before.factId : await this.#record({ type: 'StepScheduled', data }, causationId)
    const open = { stepKey, agent, worker: step.hired, taskId, tries, factId }
    this.#context.steps.set(stepKey, { ...begun, ...open })
    notify({ ...nothingYet, stepKey, ask: number, agent, state: 'scheduled' })
    try {
      const origin = { correlationId: runId, causationId: factId, runId }
      const tell = (state: 'held' | 'released', problem: string | null) =>
        notify({ ...nothingYet, stepKey, ask: number, agent, state, problem })
      const reply = await ask(origin, taskId, {
        onHeld: ({ message }) => tell('held', message),
        onReleased: () => tell('released', null),
      })
      const { text, sessionId, costUsd, durationMs } = reply
      const tokens = reply.usage.inputTokens + reply.usage.outputTokens
      const data = { stepKey, agent, text: await bodies.write(text), sessionId, costUsd, tokens, durationMs }
      const succeeded = await this.#record({ type: 'StepSucceeded', data }, factOf(reply) ?? factId)
      notify({ stepKey, ask: number, agent, state: 'succeeded', costUsd, tokens, text, problem: null })
      return standingFor(reply, succeeded)
    } catch (error) {
      // The process ends: the task goes on with the next opening, and so does the step.
      if (error instanceof ClosedError || actor.closed) throw error
      await this.#fail(step, error, signal.aborted || error instanceof TaskCancelledError, factId)
      if (isOpen && error instanceof TaskCancelledError && !signal.aborted) {
        return this.#try({ ...step, before: { ...before, state: 'cancelled' } }, ask)
      }
      throw error
    }
  }

  async #fail(
    { stepKey, ask, agent }: Attempt,
    error: unknown,
    cancelled: boolean,
    scheduled: string,
  ): Promise<void> {
    const data = { stepKey, agent, error: callErrorData(error), cancelled }
    standingFor(error, await this.#record({ type: 'StepFailed', data }, factOf(error) ?? scheduled))
    const state = cancelled ? 'cancelled' : 'failed'
    this.#context.notify({ ...nothingYet, stepKey, ask, agent, state, problem: data.error.message })
  }

  /** Returns the id of the fact. */
  async #record(fact: RunFact, causationId: string): Promise<string> {
    const { actor, runId: correlationId } = this.#context
    const [recorded] = await actor.decide(() => [fact], { correlationId, causationId })
    return recorded?.id ?? causationId
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

type Asked = AskedStep & { readonly ask: number; readonly leading: string | undefined }

interface Attempt {
  readonly stepKey: string
  readonly ask: number
  readonly agent: string
  /** Who of a pool. */
  readonly hired: string
  readonly signal: AbortSignal
  readonly before: RecordedStep | undefined
  readonly causes: Causes
}

const nothingYet = { costUsd: 0, tokens: 0, text: null, problem: null } as const
const begun = { ...nothingYet, state: 'scheduled', sessionId: null, durationMs: 0 } as const

const nameOf = (worker: Worker) => (typeof worker === 'string' ? worker : worker.pool)
