/** The steps of a run as the log records them, and what they have cost. */
import type { Agent } from '../../actors/agent/agent.ts'
import { recordedTask } from '../../actors/agent/tasks/known-tasks.ts'
import { agentFacts } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { streamName } from '../../events/ids.ts'
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
  /** Where the agents' facts are that hold the answers: the versions of their streams, by step. */
  const answers = new Map<string, number>()
  const took = (stepKey: string, at: string) =>
    Math.max(0, Date.parse(at) - (askedAt.get(stepKey) ?? Number.POSITIVE_INFINITY))
  const withCost = (stepKey: string, { costUsd = 0, tokens = 0 }: Partial<Cost>): Cost => {
    const before = steps.get(stepKey)
    return { costUsd: (before?.costUsd ?? 0) + costUsd, tokens: (before?.tokens ?? 0) + tokens }
  }
  for await (const recorded of store.read(stream)) {
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
        const { answer, text = null, ...data } = fact.data
        const { stepKey } = data
        const durationMs = took(stepKey, recorded.at)
        update({ ...data, ...withCost(stepKey, data), text, state: 'succeeded', durationMs, factId })
        if (answer === undefined) answers.delete(stepKey)
        else answers.set(stepKey, answer)
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
  for (const [stepKey, text] of await textsOf(store, steps, answers)) update({ stepKey, text })
  return steps
}

/** Answers of one worker that are no further apart, in facts, are read together. */
const NEAR = 32

interface FarAnswer extends Pick<RecordedStep, 'stepKey' | 'taskId' | 'worker'> {
  readonly version: number
}

/** The texts of answers that only the agents' facts hold, by step. One that is not in this log is left out. */
async function textsOf(
  store: EventStore,
  steps: ReadonlyMap<string, RecordedStep>,
  answers: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, Body>> {
  const byWorker = new Map<string, FarAnswer[]>()
  for (const [stepKey, version] of answers) {
    const { taskId, worker, state } = steps.get(stepKey) ?? {}
    if (state !== 'succeeded' || taskId === undefined || worker === undefined) continue
    const known = byWorker.get(worker) ?? []
    byWorker.set(worker, known)
    known.push({ stepKey, taskId, worker, version })
  }
  const texts = new Map<string, Body>()
  for (const [worker, wanted] of byWorker)
    for await (const [{ stepKey }, text] of answersIn(store, streamName('agent', worker), wanted))
      texts.set(stepKey, text)
  return texts
}

async function* answersIn(
  store: EventStore,
  stream: string,
  wanted: FarAnswer[],
): AsyncGenerator<[FarAnswer, Body]> {
  wanted.sort((one, other) => one.version - other.version)
  for (let from = 0, to = 1; from < wanted.length; from = to, to += 1) {
    while (versionOf(wanted[to]) - versionOf(wanted[to - 1]) <= NEAR) to += 1
    const range = { after: versionOf(wanted[from]) - 1, to: versionOf(wanted[to - 1]) }
    const found = new Map<number, Recorded>()
    for await (const recorded of store.read(stream, range)) found.set(recorded.version, recorded)
    for (const answer of wanted.slice(from, to)) {
      const { version, taskId } = answer
      const text = answerOf(found.get(version), taskId) ?? (await answerAnywhere(store, stream, taskId))
      if (text !== undefined) yield [answer, text]
    }
  }
}

const versionOf = (answer: FarAnswer | undefined) => answer?.version ?? Number.POSITIVE_INFINITY

function answerOf(recorded: Recorded | undefined, taskId: string): Body | undefined {
  const fact = recorded && agentFacts.read(recorded)
  return fact?.type === 'CallSucceeded' && fact.data.taskId === taskId ? fact.data.text : undefined
}

/** A repair may have left out facts before it. */
async function answerAnywhere(store: EventStore, stream: string, taskId: string): Promise<Body | undefined> {
  const { outcome } = (await recordedTask(taskId, store, stream)) ?? {}
  return outcome?.type === 'CallSucceeded' ? outcome.data.text : undefined
}

type Cost = Pick<RecordedStep, 'costUsd' | 'tokens'>

const UNANSWERED = { text: null, sessionId: null, durationMs: 0, carriedFrom: null, problem: null }

/** What a step without an answer has cost: nothing if its calls cost nothing, or if that cannot be read: a figure must not keep a step from ending. */
export async function stepCost(
  worker: Agent,
  taskId: string,
): Promise<{ readonly costUsd?: number; readonly tokens?: number }> {
  try {
    const { costUsd, tokens } = await worker.spentOn(taskId)
    return costUsd > 0 || tokens > 0 ? { costUsd, tokens } : {}
  } catch {
    return {}
  }
}
