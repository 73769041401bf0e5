/** One execution of a workflow: await it for the result, iterate it or subscribe to it for progress, pause or cancel it. */
import { filter, firstValueFrom, of, ReplaySubject, type Subscription, toArray } from 'rxjs'
import type { Placement } from '../../actors/agent/moving/placement.ts'
import type { Verdict } from '../../actors/agent/tasks/held.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { RunInterruptedError } from '../../events/errors/run.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import type { JsonObject } from '../../events/json.ts'
import { heard } from '../../events/listener.ts'
import type { RunFact } from '../../events/run-facts.ts'
import type { TaskInput } from '../../events/task-input.ts'
import { type Answer, joinAnswers, lostWith, missingFrom, stepError } from '../answers.ts'
import type { Pattern } from '../pattern.ts'
import { type AskContext, DurableAsk } from './durable-ask.ts'
import { unsubscribe } from './hand-over.ts'
import type { ResumeOptions, RunDriver, RunOptions } from './options.ts'
import type { StepEvent } from './step-event.ts'
import { Progress, type WorkflowResult } from './workflow-result.ts'

/** What a run needs to begin. */
export interface Prepared {
  readonly pattern: Pattern
  readonly context: Omit<AskContext, 'notify'>
  readonly task: TaskInput
}

/** A run that another process executes. */
export interface Elsewhere {
  readonly agents: readonly string[]
  /** Follows it to its end. When `interruption` aborts, it is to be paused or cancelled there. */
  readonly follow: (notify: (event: StepEvent) => void, interruption: AbortSignal) => Promise<WorkflowResult>
}

/** A run that is started elsewhere; or resumed, if it has no input. */
export interface RunToBegin {
  readonly runId: string
  /** null: the one that it recorded. */
  readonly workflow: JsonObject | null
  readonly input: TaskInput | undefined
  readonly options: Omit<RunOptions & ResumeOptions, 'id' | 'signal' | 'workflow'>
  /** Pauses it, unless others have asked for it as well. */
  readonly signal: AbortSignal | undefined
}

/** Where the runs are executed whose workflows any process can build. */
export interface RunPlacement {
  /** Whether this process executes such a run. */
  owns(runId: string): boolean
  /** Before a run is loaded to be executed here: others that execute it record nothing of it any more. */
  execute(runId: string): Promise<void>
  begin(run: RunToBegin): Promise<Elsewhere>
  cancel(runId: string, reason: string, verdict: Verdict): Promise<void>
  /** Of all runs that other processes execute, or have left as they were. */
  drivers(): Promise<ReadonlyMap<string, RunDriver>>
}

/** Where agents live and runs are executed. */
export interface ClusterPlacement extends Placement {
  /** Default: runs are executed in the process that begins them. */
  readonly runs?: RunPlacement
  /** Ends what other processes write to a stream. Default: none do. */
  readonly claim?: (stream: string) => Promise<void>
}

/** The reason of the signal with which a run is interrupted. */
export interface InterruptionReason extends Verdict {
  readonly paused: boolean
  readonly reason: string
}

/**
 * A promise for the result, and a handle. It rejects if the run could not begin, was interrupted, or has no end in this
 * process. As with any promise, a rejection that is not awaited is an `unhandledRejection`; but not that of a run that its own
 * handle or signal interrupted, or that the orchestrator left when it was closed.
 */
export class Run implements Promise<WorkflowResult>, AsyncIterable<StepEvent> {
  readonly [Symbol.toStringTag] = 'Run'
  readonly id: string
  /** Resolves when the log says that the run begins or resumes; rejects if it could not. */
  readonly begun: Promise<void>
  /** Resolves when the run has ended, in whatever way. */
  readonly ended: Promise<void>
  readonly #result: Promise<WorkflowResult>
  readonly #events = new ReplaySubject<StepEvent>()
  readonly #progress = new Progress()
  readonly #interruption = new AbortController()
  #asks: DurableAsk | undefined
  /** Why it is left. */
  #leaving: ClaudeAgentError | undefined
  #agents: readonly string[] = []

  /** @param prepare Records that the run begins or resumes, here or elsewhere. Returns its result if it has already succeeded. */
  constructor(id: string, prepare: () => Promise<Prepared | Elsewhere | WorkflowResult>) {
    this.id = id
    const preparing = prepare()
    this.begun = preparing.then((prepared) => {
      if ('context' in prepared) this.#agents = prepared.pattern.agents ?? []
      if ('follow' in prepared) this.#agents = prepared.agents
    })
    this.begun.catch(() => {})
    let end = () => {}
    this.ended = new Promise((resolve) => (end = resolve))
    this.#events.subscribe({ next: (event) => this.#progress.note(event), complete: end })
    this.#result = this.#conclude(preparing)
  }

  /** The agents that its workflow asks, as far as known, once it has begun. */
  get agents(): readonly string[] {
    return this.#agents
  }

  /** Whether it can only wait for an approval or for money: all its open steps are held. */
  get isHeld(): boolean {
    return this.#progress.isHeld
  }

  /** Resolves when it has ended, or is held. */
  async rested(): Promise<void> {
    if (this.isHeld) return
    await firstValueFrom(this.#events.pipe(filter(() => this.isHeld)), { defaultValue: null })
  }

  // biome-ignore lint/suspicious/noThenProperty: a run is awaited for its result
  then<A = WorkflowResult, B = never>(
    onResult?: ((result: WorkflowResult) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(onResult, onError)
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<WorkflowResult | B> {
    return this.#result.catch(onError)
  }

  finally(onSettled?: (() => void) | null): Promise<WorkflowResult> {
    return this.#result.finally(onSettled)
  }

  /** Calls back for every event of its steps, past ones included. */
  subscribe(next: (event: StepEvent) => void): Subscription {
    return this.#events.subscribe(next)
  }

  [Symbol.asyncIterator](): AsyncIterator<StepEvent> {
    return heard<StepEvent>((next, complete) => {
      const subscription = this.#events.subscribe({ next, complete })
      return () => subscription.unsubscribe()
    })
  }

  /** Cancels the calls and pauses the run. It can be resumed. */
  async pause(reason = 'asked to'): Promise<void> {
    this.#interruption.abort({ paused: true, reason })
    await this.#result.catch(() => {})
  }

  /** Cancels the calls and ends the run for good. Rejects with a ClosedError if that could not be recorded any more. */
  async cancel(reason = 'asked to', { by }: Verdict = {}): Promise<void> {
    this.#interruption.abort({ paused: false, reason, ...(by && { by }) } satisfies InterruptionReason)
    await this.#result.catch((error) => {
      if (error instanceof ClosedError) throw error
    })
  }

  /**
   * Leaves the run to the next execution, in this process or another one: this one rejects with a ClosedError, or with what has
   * ended the process's work.
   */
  leave(
    cause?: unknown,
    error: ClaudeAgentError = new ClosedError({ what: 'orchestrator', kept: 'run' }, { cause }),
  ): void {
    this.#leaving ??= error
    this.#asks?.leave(this.#leaving)
  }

  async #conclude(preparing: Promise<Prepared | Elsewhere | WorkflowResult>): Promise<WorkflowResult> {
    try {
      const prepared = await preparing
      const notify = (event: StepEvent) => this.#events.next(event)
      if ('follow' in prepared) return await prepared.follow(notify, this.#interruption.signal)
      return 'context' in prepared ? await this.#execute(prepared) : prepared
    } catch (error) {
      // It was asked for: no failure that has to be handled.
      if (error instanceof ClosedError || error instanceof RunInterruptedError) this.#result.catch(() => {})
      throw error
    } finally {
      this.#events.complete()
    }
  }

  async #execute({ context, pattern, task }: Prepared): Promise<WorkflowResult> {
    const stuck = new AbortController()
    const notify = (event: StepEvent) => this.#events.next(event)
    const asks = new DurableAsk({ ...context, notify }, (error) => stuck.abort(error))
    this.#asks = asks
    if (this.#leaving) asks.leave(this.#leaving)
    const outcome = await this.#emissions(asks, pattern, task, stuck.signal)
    const errors = outcome.answers
      ? missingFrom(outcome.answers)
      : (lostWith(outcome.error) ?? [stepError('', outcome.error)])
    await asks.settle({ forGood: !outcome.interrupted && errors.length === 0 })
    if (asks.isLeft) throw closedBy(outcome.error)
    const { name } = context.actor.snapshot.context
    const { actor, bodies } = context
    const end = async (fact: RunFact, causationId: string | null = null) =>
      void (await actor.insist(() => actor.decide(() => [fact], { correlationId: this.id, causationId })))
    if (outcome.interrupted) {
      const { paused, ...why } = this.#interruption.signal.reason as InterruptionReason
      const { reason } = why
      await end(paused ? { type: 'RunPaused', data: { reason } } : { type: 'RunCancelled', data: why })
      throw new RunInterruptedError({ runId: this.id, paused, reason })
    }
    const finalOutput = outcome.answers ? joinAnswers(outcome.answers) : ''
    const body = await actor.insist(() => bodies.keep(finalOutput))
    const { causationId, uses } = asks.causesOf(outcome.answers ?? [], asks.handOver.last)
    await end(
      errors.length === 0
        ? { type: 'RunSucceeded', data: { finalOutput: body, ...uses } }
        : { type: 'RunFailed', data: { finalOutput: outcome.answers ? body : null, errors, ...uses } },
      causationId,
    )
    return this.#progress.result(this.id, name, finalOutput, errors)
  }

  /** Runs the pattern until it completes, fails or is interrupted. */
  async #emissions(asks: DurableAsk, pattern: Pattern, task: TaskInput, stuck: AbortSignal) {
    const { signal } = this.#interruption
    let subscription: Subscription | undefined
    const interrupted = new Promise<'interrupted'>((resolve) => {
      if (signal.aborted) resolve('interrupted')
      signal.addEventListener('abort', () => resolve('interrupted'), { once: true })
    })
    try {
      if (signal.aborted) return { interrupted: true }
      const stream = of(task).pipe(pattern(asks.ask), toArray())
      const answers = new Promise<readonly Answer[]>((resolve, reject) => {
        const fail = () => reject(stuck.reason)
        // It may have been left already.
        if (stuck.aborted) return fail()
        stuck.addEventListener('abort', fail, { once: true })
        const done = (settle: () => void) => {
          asks.handOver.close()
          settle()
        }
        asks.handOver.run(() => {
          subscription = stream.subscribe({
            next: (all) => done(() => resolve(all)),
            error: (error) => done(() => reject(asks.handOver.overflow(error))),
          })
        })
      })
      const ended = await Promise.race([answers, interrupted])
      return ended === 'interrupted' ? { interrupted: true } : { interrupted: false, answers: ended }
    } catch (error) {
      return { interrupted: signal.aborted, error }
    } finally {
      asks.handOver.close()
      unsubscribe(subscription)
      asks.abandon()
    }
  }
}

/** Why a run has no end in this process. What its pattern made of that is only the cause. */
function closedBy(error: unknown): unknown {
  if (error instanceof ClaudeAgentError) return error
  return new ClosedError({ what: 'orchestrator', kept: 'run' }, { cause: error })
}
