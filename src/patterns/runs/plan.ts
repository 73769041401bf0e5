/** What going on with a run would reuse and what it would ask again, found without asking anybody. */
import { firstValueFrom, Observable, of, toArray } from 'rxjs'
import type { TaskInput } from '../../events/task-input.ts'
import { type Answer, type Ask, type Pattern, stepName } from '../pattern.ts'
import type { RecordedStep } from './recorded-steps.ts'
import { type AskedStep, StepNumbers, stepKeyOf } from './step-key.ts'

/** What a resumed run would do. */
export interface RunPlan {
  /** Answered from the log, with what that had cost. */
  readonly reused: readonly { readonly agent: string; readonly stepKey: string; readonly costUsd: number }[]
  /** Asked, as far as can be known: what is asked may depend on answers that are not there yet. */
  readonly rerun: readonly { readonly agent: string; readonly stepKey: string }[]
  /** Whether the workflow could be followed to its end. */
  readonly complete: boolean
}

/** What the log and the agents know. */
export interface PlanSources {
  readonly steps: ReadonlyMap<string, RecordedStep>
  readonly answers: ReadonlyMap<string, string>
  readonly fingerprint: (agent: string) => Promise<string>
}

/** A workflow that never ends without real answers is not followed any further. */
const MOST_STEPS = 10_000

/**
 * Runs the pattern on the answers that the log has. What is not there is answered with a placeholder, so that all that
 * depends on it counts as asked again too.
 */
export async function planRun(pattern: Pattern, task: TaskInput, sources: PlanSources): Promise<RunPlan> {
  const dryRun = new DryRun(sources)
  await dryRun.prepare([...(pattern.agents ?? []), ...[...sources.steps.values()].map(({ agent }) => agent)])
  const complete = await firstValueFrom(of(task).pipe(pattern(dryRun.ask), toArray())).then(
    () => true,
    // A check or a choice that a placeholder cannot pass: what comes after it depends on the real answer.
    () => false,
  )
  return { reused: dryRun.reused, rerun: dryRun.rerun, complete }
}

class DryRun {
  readonly reused: RunPlan['reused'][number][] = []
  readonly rerun: RunPlan['rerun'][number][] = []
  readonly #sources: PlanSources
  readonly #numbers = new StepNumbers()
  readonly #fingerprints = new Map<string, string>()

  constructor(sources: PlanSources) {
    this.#sources = sources
  }

  async prepare(agents: readonly string[]): Promise<void> {
    for (const agent of agents) await this.#fingerprint(agent)
  }

  /** As in a real run, what is known is there at once, and everything else begins a microtask later. */
  readonly ask: Ask = (worker, task, options = {}) =>
    new Observable<Answer>((subscriber) => {
      const agent = stepName(worker)
      const asked = this.#numbers.next(agent, task, options)
      const answer = (given: Answer) => {
        subscriber.next(given)
        subscriber.complete()
      }
      const fingerprint = this.#fingerprints.get(agent)
      const known = fingerprint === undefined ? undefined : this.#recorded(stepKeyOf(asked, fingerprint))
      if (known) return answer(known)
      queueMicrotask(() => {
        if (subscriber.closed) return
        // All that begin together are noted before the first of them is answered.
        this.#note(agent, asked).then(
          (noted) => setImmediate(answer, noted),
          (error) => subscriber.error(error),
        )
      })
    })

  #recorded(stepKey: string): Answer | undefined {
    const step = this.#sources.steps.get(stepKey)
    const text = this.#sources.answers.get(stepKey)
    if (step?.state !== 'succeeded' || text === undefined) return undefined
    this.reused.push({ agent: step.agent, stepKey, costUsd: step.costUsd })
    return { agent: step.agent, text }
  }

  async #note(agent: string, asked: AskedStep): Promise<Answer> {
    if (this.rerun.length >= MOST_STEPS) throw new Error(`this takes more than ${MOST_STEPS} steps`)
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
