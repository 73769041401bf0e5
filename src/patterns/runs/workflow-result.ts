/** The result of a workflow, collected from the progress of its steps. */
import type { Bodies } from '../../actors/engine/bodies.ts'
import type { Recorded } from '../../events/envelope.ts'
import { type RunFact, runFacts, type StepError } from '../../events/run-facts.ts'
import type { Body } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'
import { factsWithAnswers } from './recorded-answers.ts'
import { OpenSteps, type RecordedStepEvent, RecordedStepEvents, type StepEvent } from './step-event.ts'

/** The result of a workflow. */
export interface WorkflowResult {
  readonly pattern: string
  /** The agents that were asked, in the order of their first asks. */
  readonly agents: readonly string[]
  /** The answer of each agent to its last ask. */
  readonly results: Readonly<Record<string, string>>
  readonly metadata: {
    readonly runId: string
    readonly finalOutput: string
    readonly costUsd: number
    /** How many steps it took, and how many of them were answered from the log. */
    readonly steps: number
    readonly reused: number
  }
  readonly success: boolean
  readonly errors: readonly StepError[]
}

/** The result of a run so far, from the events of its steps. */
export class Progress {
  /** The answer to the last ask of each agent, no matter in which order the answers come. */
  readonly #results = new Map<string, { readonly ask: number; readonly text: string }>()
  readonly #agents = new Set<string>()
  readonly #open = new OpenSteps()
  #steps = 0
  #reused = 0
  #costUsd = 0

  note(event: StepEvent): void {
    const { agent, ask, state, text, costUsd } = event
    this.#agents.add(agent)
    this.#open.note(event)
    if (state === 'scheduled' || state === 'reused') this.#steps++
    if (state === 'reused') this.#reused++
    if (text !== null && ask >= (this.#results.get(agent)?.ask ?? 0)) this.#results.set(agent, { ask, text })
    this.#costUsd += costUsd
  }

  /** Whether all open steps are held. */
  get isHeld(): boolean {
    return this.#open.areHeld
  }

  result(runId: string, pattern: string, finalOutput: string, errors: readonly StepError[]): WorkflowResult {
    return {
      pattern,
      agents: [...this.#agents],
      results: Object.fromEntries([...this.#results].map(([agent, { text }]) => [agent, text])),
      metadata: { runId, finalOutput, costUsd: this.#costUsd, steps: this.#steps, reused: this.#reused },
      success: errors.length === 0,
      errors,
    }
  }
}

const RUN_ENDS = new Set<string>(['RunSucceeded', 'RunFailed', 'RunCancelled'] satisfies RunFact['type'][])
const RUN_TURNS = new Set<string>([
  ...RUN_ENDS,
  ...(['RunStarted', 'RunResumed', 'RunPaused'] satisfies RunFact['type'][]),
])

/** Whether a fact ends a run. A failed one may be resumed. */
export const endsRun = ({ type }: { readonly type: string }): boolean => RUN_ENDS.has(type)

/** The fact that a run last began, paused or ended with; undefined if there is no such run. */
export async function lastRunTurn(store: EventStore, stream: string): Promise<Recorded | undefined> {
  for await (const recorded of store.read(stream, { direction: 'backwards' }))
    if (RUN_TURNS.has(recorded.type)) return recorded
  return undefined
}

/**
 * The result of a run that has ended, from its facts up to a version: that of its last execution; or of another one,
 * `again`, which would take all answers from the log.
 *
 * @param tell Is told of each step that is answered.
 */
export async function recordedResult(
  runId: string,
  { store, stream, to }: { readonly store: EventStore; readonly stream: string; readonly to: number },
  bodies: Bodies,
  { again = false, tell }: { readonly again?: boolean; readonly tell?: (event: StepEvent) => void } = {},
): Promise<WorkflowResult> {
  const steps = new RecordedStepEvents()
  let events: RecordedStepEvent[] = []
  let name = ''
  let finalOutput: Body | null = null
  let errors: readonly StepError[] = []
  for await (const fact of factsWithAnswers(store, stream, { to })) {
    const { type, data } = runFacts.read(fact)
    if (type === 'RunStarted') name = data.name
    if (type === 'RunStarted' || type === 'RunResumed') events = []
    if (type === 'RunSucceeded' || type === 'RunFailed') {
      finalOutput = data.finalOutput
      errors = 'errors' in data ? data.errors : []
    }
    events.push(...steps.take(fact))
  }
  const progress = new Progress()
  const whole = async (event: RecordedStepEvent): Promise<StepEvent> => ({
    ...event,
    text: event.text === null ? null : await bodies.read(event.text),
  })
  for (const event of again ? steps.again() : events) progress.note(await whole(event))
  if (tell) for (const event of steps.again()) tell(await whole(event))
  return progress.result(runId, name, finalOutput === null ? '' : await bodies.read(finalOutput), errors)
}
