/** The steps of a run as the log records them. */
import { runFacts } from '../../events/run-facts.ts'
import type { Body } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'

/** A step of a run, as the log records it. */
export interface RecordedStep {
  readonly stepKey: string
  readonly agent: string
  /** The agent that was asked: a copy, if `agent` is a pool. */
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
  /** The id of the fact that recorded its state. */
  readonly factId: string
}

/** The steps by key, in the order in which they were first scheduled. */
export async function recordedSteps(store: EventStore, stream: string): Promise<Map<string, RecordedStep>> {
  const steps = new Map<string, RecordedStep>()
  const update = (change: Partial<RecordedStep> & { readonly stepKey: string }) => {
    const step = steps.get(change.stepKey)
    if (step) steps.set(change.stepKey, { ...step, ...change })
  }
  for await (const recorded of store.read(stream)) {
    const fact = runFacts.read(recorded)
    const factId = fact.id
    switch (fact.type) {
      case 'StepScheduled': {
        const { stepKey } = fact.data
        const tries = (steps.get(stepKey)?.tries ?? 0) + 1
        steps.set(stepKey, { ...fact.data, ...UNANSWERED, state: 'scheduled', tries, factId })
        break
      }
      case 'StepSucceeded':
        update({ ...fact.data, state: 'succeeded', factId })
        break
      case 'StepFailed': {
        const { stepKey, cancelled, error } = fact.data
        update({ stepKey, state: cancelled ? 'cancelled' : 'failed', problem: error.message, factId })
        break
      }
    }
  }
  return steps
}

const UNANSWERED = { text: null, sessionId: null, costUsd: 0, tokens: 0, durationMs: 0, problem: null }
