/** The steps of a run as the log records them, and what they have cost. */
import type { AgentRef } from '../../actors/agent/ref.ts'
import { runFacts } from '../../events/run-facts.ts'
import type { Body } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'
import { factsWithAnswers } from './recorded-answers.ts'

/** A step of a run, as the log records it. */
export interface RecordedStep {
  readonly stepKey: string
  readonly agent: string
  /** The agent that was asked: a copy, if `agent` is a pool. */
  readonly worker: string
  readonly taskId: string
  readonly state: 'scheduled' | 'succeeded' | 'failed' | 'cancelled'
  /** The answer; null if there is none, or if its fact is not in this log. */
  readonly text: Body | null
  /** The session that holds the answer. */
  readonly sessionId: string | null
  /** Of all calls of all tries, however they ended. */
  readonly costUsd: number
  readonly tokens: number
  /** From when it was last asked to its outcome, with waiting and retries: `stats` measures its task in the same way. */
  readonly durationMs: number
  /** The run from which a fork carried its answer over, at no cost to this one; else null. */
  readonly carriedFrom: string | null
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
  /** Which step a task was asked for. */
  const asked = new Map<string, string>()
  const askedAt = new Map<string, number>()
  const took = (stepKey: string, at: string) =>
    Math.max(0, Date.parse(at) - (askedAt.get(stepKey) ?? Number.POSITIVE_INFINITY))
  const withCost = (stepKey: string, { costUsd = 0, tokens = 0 }: Partial<Cost>): Cost => {
    const before = steps.get(stepKey)
    return { costUsd: (before?.costUsd ?? 0) + costUsd, tokens: (before?.tokens ?? 0) + tokens }
  }
  for await (const recorded of factsWithAnswers(store, stream)) {
    const fact = runFacts.read(recorded)
    const factId = fact.id
    switch (fact.type) {
      case 'StepScheduled': {
        const { stepKey, taskId } = fact.data
        const tries = (steps.get(stepKey)?.tries ?? 0) + 1
        const cost = withCost(stepKey, {})
        asked.set(taskId, stepKey)
        askedAt.set(stepKey, Date.parse(recorded.at))
        steps.set(stepKey, { ...fact.data, ...UNANSWERED, ...cost, state: 'scheduled', tries, factId })
        break
      }
      case 'StepSucceeded': {
        const { answer: _, text = null, ...data } = fact.data
        const { stepKey } = data
        const durationMs = took(stepKey, recorded.at)
        update({ ...data, ...withCost(stepKey, data), text, state: 'succeeded', durationMs, factId })
        break
      }
      case 'StepFailed': {
        const { stepKey, cancelled, error } = fact.data
        const state = cancelled ? 'cancelled' : 'failed'
        update({ stepKey, ...withCost(stepKey, fact.data), state, problem: error.message, factId })
        break
      }
      case 'StepCostRecorded': {
        const stepKey = asked.get(fact.data.taskId)
        if (stepKey !== undefined) update({ stepKey, ...withCost(stepKey, fact.data) })
        break
      }
    }
  }
  return steps
}

type Cost = Pick<RecordedStep, 'costUsd' | 'tokens'>

const UNANSWERED = { text: null, sessionId: null, durationMs: 0, carriedFrom: null, problem: null }

/** What a step without an answer has cost. Nothing is told if that cannot be read: a figure must not keep a step from ending. */
export async function stepCost(
  worker: AgentRef,
  taskId: string,
): Promise<{ readonly costUsd?: number; readonly tokens?: number }> {
  try {
    const { costUsd, tokens } = await worker.spentOn(taskId)
    return costUsd > 0 || tokens > 0 ? { costUsd, tokens } : {}
  } catch {
    return {}
  }
}
