/** What is reported of a run while it works, step by step; and the same from the log, for those who watch it from outside. */
import { holdsTask, releasesTask } from '../../actors/agent/tasks/known-tasks.ts'
import { type AgentFact, agentFacts } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { type RunFact, runFacts } from '../../events/run-facts.ts'
import type { Body } from '../../events/task-input.ts'

/** The progress of one step of a run. */
export interface StepEvent {
  readonly stepKey: string
  /** The number of the ask in this execution, from 1. */
  readonly ask: number
  readonly agent: string
  /** `held`: it waits for a person, or for room in a budget; `released`: it continues. `reused`: answered from the log. */
  readonly state: 'scheduled' | 'held' | 'released' | 'reused' | 'succeeded' | 'failed' | 'cancelled'
  readonly costUsd: number
  readonly tokens: number
  /** The answer; null if there is none yet. */
  readonly text: string | null
  /** Why it is held, or why it failed. */
  readonly problem: string | null
}

/** The same of a recorded step: the text of a long answer is elsewhere. */
export type RecordedStepEvent = Omit<StepEvent, 'text'> & { readonly text: Body | null }

interface SeenStep {
  readonly agent: string
  readonly ask: number
  readonly state: 'open' | 'answered' | 'ended'
  readonly isHeld: boolean
  readonly costUsd: number
  readonly tokens: number
  readonly text: Body | null
}

/** The events of a run's steps, from the facts of the run and of the tasks that its steps ask, in their order. */
export class RecordedStepEvents {
  readonly #steps = new Map<string, SeenStep>()
  /** The step of each task. */
  readonly #asked = new Map<string, string>()
  #asks = 0

  /** Facts of other runs, and of tasks that no step asks, lead to nothing. */
  take(recorded: Recorded): readonly RecordedStepEvent[] {
    if (recorded.stream.startsWith('run/')) return this.#ofRun(runFacts.read(recorded))
    const stepKey = this.#asked.get(String(recorded.data.taskId))
    const step = stepKey === undefined ? undefined : this.#steps.get(stepKey)
    if (stepKey === undefined || step?.state !== 'open') return []
    if (recorded.type === 'CallSucceeded') {
      const { data } = agentFacts.read(recorded) as Extract<AgentFact, { type: 'CallSucceeded' }>
      this.#steps.set(stepKey, { ...step, text: data.text })
      return []
    }
    const isHeld = holdsTask(recorded)
    const isReleased = releasesTask(recorded)
    if (!isHeld && !(isReleased && step.isHeld)) return []
    this.#steps.set(stepKey, { ...step, isHeld })
    return [{ ...eventOf(stepKey, step), state: isHeld ? 'held' : 'released' }]
  }

  /** The step that a task was asked for, and the agent that it names: of a copy in a pool, the pool. */
  stepOf(taskId: string): { readonly stepKey: string; readonly agent: string } | undefined {
    const stepKey = this.#asked.get(taskId)
    const step = stepKey === undefined ? undefined : this.#steps.get(stepKey)
    return stepKey === undefined || !step ? undefined : { stepKey, agent: step.agent }
  }

  /** The run begins or resumes: what is answered is taken from the log, and what is open continues. */
  again(): readonly RecordedStepEvent[] {
    this.#asks = 0
    return [...this.#steps].flatMap(([stepKey, before]): readonly RecordedStepEvent[] => {
      if (before.state === 'ended') return []
      const step = { ...before, ask: ++this.#asks }
      this.#steps.set(stepKey, step)
      const event = eventOf(stepKey, step)
      if (step.state === 'open') {
        const scheduled = { ...event, state: 'scheduled' } as const
        return step.isHeld ? [scheduled, { ...event, state: 'held' }] : [scheduled]
      }
      const { costUsd, tokens, text } = step
      return [{ ...event, state: 'reused', costUsd, tokens, text }]
    })
  }

  #ofRun({ type, data }: RunFact): readonly RecordedStepEvent[] {
    switch (type) {
      case 'RunStarted':
      case 'RunResumed':
        return this.again()
      case 'StepScheduled': {
        const { stepKey, agent, taskId } = data
        const { costUsd = 0, tokens = 0 } = this.#steps.get(stepKey) ?? {}
        const step = {
          agent,
          ask: ++this.#asks,
          state: 'open',
          isHeld: false,
          costUsd,
          tokens,
          text: null,
        } as const
        this.#asked.set(taskId, stepKey)
        this.#steps.set(stepKey, step)
        return [{ ...eventOf(stepKey, step), state: 'scheduled' }]
      }
      case 'StepSucceeded': {
        const { stepKey, costUsd, tokens } = data
        // It may be in the agent's fact alone, which comes first.
        const text = data.text ?? this.#steps.get(stepKey)?.text ?? null
        const event = this.#ended(stepKey, 'answered', { costUsd, tokens }, text)
        return event ? [{ ...event, state: 'succeeded', text }] : []
      }
      case 'StepFailed': {
        const { stepKey, costUsd = 0, tokens = 0, cancelled, error } = data
        const event = this.#ended(stepKey, 'ended', { costUsd, tokens }, null)
        return event ? [{ ...event, state: cancelled ? 'cancelled' : 'failed', problem: error.message }] : []
      }
      case 'StepCostRecorded': {
        const stepKey = this.#asked.get(data.taskId)
        const step = stepKey === undefined ? undefined : this.#steps.get(stepKey)
        if (stepKey !== undefined && step) this.#steps.set(stepKey, withCost(step, data))
        return []
      }
      default:
        return []
    }
  }

  #ended(stepKey: string, state: SeenStep['state'], cost: StepCost, text: Body | null) {
    const step = this.#steps.get(stepKey)
    if (!step) return undefined
    this.#steps.set(stepKey, { ...withCost(step, cost), state, text })
    return { ...eventOf(stepKey, step), ...cost }
  }
}

type StepCost = Pick<StepEvent, 'costUsd' | 'tokens'>

const withCost = (step: SeenStep, { costUsd, tokens }: StepCost): SeenStep => ({
  ...step,
  costUsd: step.costUsd + costUsd,
  tokens: step.tokens + tokens,
})

const eventOf = (stepKey: string, { agent, ask }: SeenStep) => ({
  ...{ stepKey, ask, agent, costUsd: 0, tokens: 0, text: null, problem: null },
})

/** The steps of a run that have not ended, and which of them are held. */
export class OpenSteps {
  readonly #open = new Set<number>()
  readonly #held = new Map<number, string>()

  note({ ask, state, problem }: StepEvent): void {
    if (state === 'scheduled') this.#open.add(ask)
    else if (state !== 'held' && state !== 'released') this.#open.delete(ask)
    if (state === 'held') this.#held.set(ask, problem ?? '')
    else this.#held.delete(ask)
  }

  /** Whether there are some, and all of them are held. */
  get areHeld(): boolean {
    return this.#held.size > 0 && this.#held.size === this.#open.size
  }

  /** Why they are held. */
  get problems(): readonly string[] {
    return [...this.#held.values()]
  }
}
