/** A run at a version of its stream: its steps, with the time, the cost and the calls of each. */
import type { Recorded } from '../events/envelope.ts'
import type { EventStore } from '../store/event-store.ts'
import type { LogIndex } from './index/index.ts'
import { callsIn } from './sessions.ts'
import { brief } from './text.ts'
import type { RunView, SessionNode, StepNode } from './view.ts'

type MutableStep = { -readonly [K in keyof StepNode]: StepNode[K] }

const FACTS_READ = 2000
const STEPS_SHOWN = 200
/** Calls are looked up for this many of the newest steps. */
const STEPS_WITH_CALLS = 40
/** A task takes about four facts, and a few more for each retry. */
const FACTS_OF_A_STEP = 64

export async function runAt(
  store: EventStore,
  index: LogIndex,
  stream: string,
  version: number,
  position: number,
): Promise<RunView | null> {
  const facts: Recorded[] = []
  for await (const recorded of store.read(stream, { to: Math.min(version, FACTS_READ) })) facts.push(recorded)
  const [started] = facts
  if (!started) return null
  const startMs = Date.parse(started.at)
  const steps = stepsIn(facts, startMs)
  const shown = steps.slice(-STEPS_SHOWN)
  const withCalls = new Set(shown.slice(-STEPS_WITH_CALLS))
  return {
    name: brief(String((started.data as { name?: unknown }).name ?? '')),
    startedAt: started.at,
    durationMs: Math.max(0, Date.parse(facts.at(-1)?.at ?? started.at) - startMs),
    costUsd: steps.reduce((sum, { costUsd }) => sum + costUsd, 0),
    steps: await Promise.all(
      shown.map(async (step) => ({
        ...step,
        calls: withCalls.has(step) ? await callsOf(store, index, step, position) : [],
      })),
    ),
    moreSteps: steps.length - shown.length,
  }
}

/** One entry for each time that a step was scheduled: a step that failed and was retried is listed twice. */
function stepsIn(facts: readonly Recorded[], startMs: number): readonly MutableStep[] {
  const steps: MutableStep[] = []
  const open = new Map<string, MutableStep>()
  for (const { type, data, position, at } of facts) {
    const { stepKey, agent, worker, taskId, costUsd, tokens, durationMs, error, cancelled } =
      data as unknown as StepData
    if (type === 'StepScheduled') {
      const step: MutableStep = {
        ...scheduled,
        agent,
        worker,
        taskId,
        position,
        startMs: Date.parse(at) - startMs,
      }
      steps.push(step)
      open.set(stepKey, step)
      continue
    }
    if (type === 'StepCostRecorded') {
      const step = steps.find((one) => one.taskId === taskId)
      if (step) Object.assign(step, { costUsd: step.costUsd + costUsd, tokens: step.tokens + tokens })
    }
    const step = open.get(stepKey)
    if (!step) continue
    const ended = { endPosition: position, durationMs: Date.parse(at) - startMs - step.startMs }
    if (type === 'StepSucceeded') {
      Object.assign(step, ended, { state: 'succeeded', costUsd, tokens })
      // The step may have reused an answer of an earlier process.
      if (step.durationMs === 0) step.durationMs = durationMs
    }
    if (type === 'StepFailed') {
      const problem = error ? brief(`${error.tag}: ${error.message}`, 300) : null
      const spent = { costUsd: costUsd ?? 0, tokens: tokens ?? 0 }
      Object.assign(step, ended, spent, { state: cancelled ? 'cancelled' : 'failed', problem })
    }
  }
  return steps
}

interface StepData {
  readonly stepKey: string
  readonly agent: string
  readonly worker: string
  readonly taskId: string
  readonly costUsd: number
  readonly tokens: number
  readonly durationMs: number
  readonly error?: { readonly tag: string; readonly message: string }
  readonly cancelled?: boolean
}

const scheduled = {
  state: 'scheduled',
  endPosition: null,
  durationMs: null,
  costUsd: 0,
  tokens: 0,
  problem: null,
  calls: [],
} as const

/** The worker's calls for the step's task, up to the moment that is shown. */
async function callsOf(
  store: EventStore,
  index: LogIndex,
  { worker, taskId, position, endPosition }: StepNode,
  moment: number,
): Promise<readonly SessionNode[]> {
  const track = index.track(`agent/${worker}`)
  if (!track) return []
  const last = track.lastUpTo(Math.min(endPosition ?? moment, moment))
  const first = index.table.version(track.lastUpTo(position))
  const to = last === 0 ? 0 : index.table.version(last)
  const facts: Recorded[] = []
  for await (const recorded of store.read(track.name, { after: Math.max(first, to - FACTS_OF_A_STEP), to })) {
    facts.push(recorded)
  }
  return callsIn(facts, taskId)
}
