/** Plans the resumption of a run: which steps it would reuse, and which it would ask again, found by a dry run. */
import { Observable, of, type Subscription, toArray } from 'rxjs'
import { type Clock, soon } from '../../clock.ts'
import { WorkflowTooDeepError } from '../../events/errors/run.ts'
import type { TaskInput } from '../../events/task-input.ts'
import type { Answer } from '../answers.ts'
import { type Ask, type Pattern, type StepOptions, stepName } from '../pattern.ts'
import { HandOver, unsubscribe } from './hand-over.ts'
import type { RecordedStep } from './recorded-steps.ts'
import { type AskedStep, StepNumbers, stepKeyOf } from './step-key.ts'

/** What a resumed run would do. */
export interface RunPlan {
  /** Steps that are answered from the log, with what they have cost this run: nothing, if they were carried over. */
  readonly reused: readonly ReusedStep[]
  /** Steps that are asked, as far as known: what is asked may depend on answers that do not exist yet. */
  readonly rerun: readonly { readonly agent: string; readonly stepKey: string }[]
  /** Whether the plan covers the whole workflow. */
  readonly complete: boolean
  /** The workflow has changed since the run was last executed: resuming must accept that. */
  readonly changed?: true
}

/** A step that is answered from the log. */
export interface ReusedStep {
  readonly agent: string
  readonly stepKey: string
  readonly costUsd: number
  /** The run from which a fork carried its answer over. */
  readonly carriedFrom?: string
}

/** What a plan is made from. */
export interface PlanSources {
  readonly runId: string
  readonly clock: Clock
  readonly session: StepOptions['session']
  readonly steps: ReadonlyMap<string, RecordedStep>
  readonly answers: ReadonlyMap<string, string>
  readonly fingerprint: (agent: string) => Promise<string>
}

/** Without real answers a workflow may never end: the plan stops here. */
const MOST_STEPS = 10_000

/**
 * Runs the pattern with the recorded answers. Other asks are answered with placeholders, so that every step that depends
 * on one counts as asked too.
 */
export async function planRun(pattern: Pattern, task: TaskInput, sources: PlanSources): Promise<RunPlan> {
  const dryRun = new DryRun(sources)
  await dryRun.prepare([...(pattern.agents ?? []), ...[...sources.steps.values()].map(({ agent }) => agent)])
  const complete = await dryRun.follow(pattern, task)
  return { reused: dryRun.reused, rerun: dryRun.rerun, complete }
}

class DryRun {
  readonly reused: RunPlan['reused'][number][] = []
  readonly rerun: RunPlan['rerun'][number][] = []
  readonly #sources: PlanSources
  readonly #numbers: StepNumbers
  readonly #fingerprints = new Map<string, string>()
  readonly #handOver: HandOver
  #end: (error?: unknown) => void = () => {}

  constructor(sources: PlanSources) {
    this.#sources = sources
    this.#numbers = new StepNumbers(sources.session)
    this.#handOver = new HandOver(sources.clock, sources.runId, (error) => this.#end(error))
  }

  /** Whether the pattern was followed to its end. Throws {@link WorkflowTooDeepError}. */
  async follow(pattern: Pattern, task: TaskInput): Promise<boolean> {
    let subscription: Subscription | undefined
    try {
      const problem = await new Promise<unknown>((resolve) => {
        this.#end = resolve
        this.#handOver.run(() => {
          subscription = of(task)
            .pipe(pattern(this.ask), toArray())
            .subscribe({ next: () => resolve(undefined), error: resolve })
        })
      })
      const error = this.#handOver.overflow(problem)
      if (error instanceof WorkflowTooDeepError) throw error
      // A placeholder did not pass a check: what follows depends on the real answer.
      return error === undefined
    } finally {
      this.#handOver.close()
      unsubscribe(subscription)
    }
  }

  async prepare(agents: readonly string[]): Promise<void> {
    for (const agent of agents) await this.#fingerprint(agent)
  }

  /** With the timing of a real run: recorded answers come first, any other ask begins a microtask later. */
  readonly ask: Ask = (worker, task, options = {}) =>
    new Observable<Answer>((subscriber) => {
      const agent = stepName(worker)
      const asked = this.#numbers.next(agent, task, options)
      this.#handOver.begin()
      const answer = (given: Answer) =>
        this.#handOver.end(undefined, () => {
          subscriber.next(given)
          subscriber.complete()
        })
      const fingerprint = this.#fingerprints.get(agent)
      const known = fingerprint === undefined ? undefined : this.#recorded(stepKeyOf(asked, fingerprint))
      if (known) return answer(known)
      queueMicrotask(() => {
        if (subscriber.closed) return this.#handOver.end(undefined)
        // Asks that begin together are all noted before the first of them is answered.
        this.#note(agent, asked).then(
          (noted) => soon(this.#sources.clock, () => answer(noted)),
          (error) => this.#handOver.end(undefined, () => subscriber.error(error)),
        )
      })
    })

  #recorded(stepKey: string): Answer | undefined {
    const step = this.#sources.steps.get(stepKey)
    const text = this.#sources.answers.get(stepKey)
    if (step?.state !== 'succeeded' || text === undefined) return undefined
    const { agent, costUsd, carriedFrom } = step
    this.reused.push({ agent, stepKey, costUsd, ...(carriedFrom === null ? {} : { carriedFrom }) })
    return { agent, text }
  }

  async #note(agent: string, asked: AskedStep): Promise<Answer> {
    if (this.rerun.length >= MOST_STEPS) throw new Error(`the plan has more than ${MOST_STEPS} steps`)
    const stepKey = stepKeyOf(asked, await this.#fingerprint(agent))
    this.rerun.push({ agent, stepKey })
    return { agent, text: `[what ${agent} will answer in step ${stepKey}]` }
  }

  async #fingerprint(agent: string): Promise<string> {
    const known = this.#fingerprints.get(agent) ?? (await this.#sources.fingerprint(agent))
    this.#fingerprints.set(agent, known)
    return known
  }
}
