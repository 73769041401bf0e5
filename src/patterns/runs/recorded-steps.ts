/** What the log knows of a run's steps: which were answered, and which were begun. */
import { runFacts } from '../../events/run-facts.ts'
import type { Body } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'

/** A step of a run, as the log has it. */
export interface RecordedStep {
  readonly stepKey: string
  readonly agent: string
  readonly worker: string
  readonly taskId: string
  readonly state: 'scheduled' | 'succeeded' | 'failed' | 'cancelled'
  readonly text: Body | null
  /** The session that holds the answer. */
  readonly sessionId: string | null
  readonly costUsd: number
  readonly tokens: number
  readonly durationMs: number
  /** Why it failed. */
  readonly problem: string | null
  /** How often it was asked. */
  readonly tries: number
  /** The id of the fact that says its state. */
  readonly factId: string
}

/** By step key, in the order in which they were first scheduled. */
export async function recordedSteps(store: EventStore, stream: string): Promise<Map<string, RecordedStep>> {
  const steps = new Map<string, RecordedStep>()
  for await (const recorded of store.read(stream)) {
    const fact = runFacts.read(recorded)
    const factId = fact.id
    switch (fact.type) {
      case 'StepScheduled': {
        const { stepKey } = fact.data
        const tries = (steps.get(stepKey)?.tries ?? 0) + 1
        steps.set(stepKey, { ...fact.data, ...nothingYet, state: 'scheduled', tries, factId })
        break
      }
      case 'StepSucceeded':
        update(steps, { ...fact.data, state: 'succeeded', factId })
        break
      case 'StepFailed': {
        const { stepKey, cancelled, error } = fact.data
        update(steps, { stepKey, state: cancelled ? 'cancelled' : 'failed', problem: error.message, factId })
        break
      }
    }
  }
  return steps
}

const nothingYet = { text: null, sessionId: null, costUsd: 0, tokens: 0, durationMs: 0, problem: null }

function update(steps: Map<string, RecordedStep>, change: Partial<RecordedStep> & { stepKey: string }): void {
  const step = steps.get(change.stepKey)
  if (step) steps.set(change.stepKey, { ...step, ...change })
}
