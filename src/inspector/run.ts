/** A run as its stream tells it: what was asked and came out, and its steps with the time, the cost and the calls of each. */

import type { Recorded } from '../events/envelope.ts'
import { visible } from '../events/hidden-characters.ts'
import type { EventStore } from '../store/event-store.ts'
import { forkOfRun } from './acts/forks.ts'
import { positionOfFact, textView } from './facts.ts'
import type { LogIndex } from './index/index.ts'
import { readLogEntries } from './index/reading.ts'
import { isEnded, toneOfStatus } from './index/tones.ts'
import { callsIn } from './sessions.ts'
import { bounded, brief, unmarked } from './text.ts'
import type { RunPageView, RunView, SessionNode, StepBrief, StepDetails, StepNode, StepPage } from './view.ts'

/** A run as far as it was read. */
interface RunRecord {
  readonly facts: readonly Recorded[]
  readonly started: Recorded
  readonly status: string
  readonly version: number
  readonly startMs: number
  /** When it ended or was paused; null while it runs. */
  readonly endMs: number | null
  readonly steps: readonly MutableStep[]
}

type MutableStep = { -readonly [K in keyof StepNode]: StepNode[K] } & {
  readonly stepKey: string
  uses: readonly number[]
}

/** The first fact, and the newest of the others: about 5,000 steps. */
const FACTS_READ = 10_000
const STATUSES: Readonly<Record<string, string>> = {
  RunStarted: 'running',
  RunResumed: 'running',
  RunPaused: 'paused',
  RunSucceeded: 'succeeded',
  RunFailed: 'failed',
  RunCancelled: 'cancelled',
}

/** null if there is no such run. A version of 0 is the newest one. */
async function readRun(store: EventStore, stream: string, version: number): Promise<RunRecord | null> {
  const head = await store.head(stream)
  const to = version === 0 ? head : Math.min(version, head)
  const facts: Recorded[] = []
  for await (const recorded of store.read(stream, { to: Math.min(1, to) })) facts.push(recorded)
  const [started] = facts
  if (started?.type !== 'RunStarted') return null
  const after = Math.max(1, to - FACTS_READ)
  for await (const recorded of store.read(stream, { after, to })) facts.push(recorded)
  const state = facts.findLast(({ type }) => STATUSES[type] !== undefined) ?? started
  const status = STATUSES[state.type] ?? ''
  const endMs = status === 'running' ? null : Date.parse(state.at)
  const startMs = Date.parse(started.at)
  return { facts, started, status, version: to, startMs, endMs, steps: stepsIn(facts, startMs, endMs, store) }
}

/** One entry for each time that a step was scheduled: a step that failed and was retried is listed twice. */
function stepsIn(
  facts: readonly Recorded[],
  startMs: number,
  endMs: number | null,
  { storeId }: EventStore,
): readonly MutableStep[] {
  const steps: MutableStep[] = []
  const open = new Map<string, MutableStep>()
  const byTask = new Map<string, MutableStep>()
  const byEnd = new Map<number, number>()
  for (const { type, data, position, at } of facts) {
    const {
      stepKey,
      agent,
      worker,
      taskId,
      costUsd,
      tokens,
      durationMs,
      error,
      cancelled,
      uses = [],
    } = data as unknown as StepData
    if (type === 'StepScheduled') {
      const step: MutableStep = {
        ...scheduled,
        stepKey,
        index: steps.length,
        agent,
        worker,
        taskId,
        position,
        startMs: Date.parse(at) - startMs,
        uses: uses.flatMap((id) => byEnd.get(positionOfFact(storeId, id) ?? 0) ?? []),
      }
      steps.push(step)
      open.set(stepKey, step)
      byTask.set(taskId, step)
      continue
    }
    if (type === 'StepCostRecorded') {
      const step = byTask.get(taskId)
      if (step) Object.assign(step, { costUsd: step.costUsd + costUsd, tokens: step.tokens + tokens })
    }
    const step = open.get(stepKey)
    if (!step) continue
    const ended = { endPosition: position, durationMs: Date.parse(at) - startMs - step.startMs }
    if (type === 'StepSucceeded') {
      Object.assign(step, ended, { state: 'succeeded', costUsd, tokens })
      // The step may have reused an answer of an earlier process.
      if (step.durationMs === 0) step.durationMs = durationMs
      byEnd.set(position, step.index)
    }
    if (type === 'StepFailed') {
      const problem = error ? brief(`${error.tag}: ${error.message}`, 300) : null
      const spent = { costUsd: costUsd ?? 0, tokens: tokens ?? 0 }
      Object.assign(step, ended, spent, { state: cancelled ? 'cancelled' : 'failed', problem })
    }
  }
  // A step that was open when its run ended is over as well.
  if (endMs !== null)
    for (const step of steps)
      if (step.durationMs === null) step.durationMs = Math.max(0, endMs - startMs - step.startMs)
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
  readonly uses?: readonly string[]
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

const nameOf = ({ data }: Recorded): string => brief(String((data as { name?: unknown }).name ?? ''))
const sumOf = (steps: readonly StepNode[], what: 'costUsd' | 'tokens'): number =>
  steps.reduce((sum, step) => sum + step[what], 0)
const lengthOf = ({ facts, startMs, endMs }: RunRecord): number =>
  Math.max(0, (endMs ?? Date.parse(facts.at(-1)?.at ?? '')) - startMs)

const STEPS_SHOWN = 200
/** Calls are looked up for this many of the newest steps. */
const STEPS_WITH_CALLS = 40

/** A run at a version of its stream, beside the log. */
export async function runAt(
  store: EventStore,
  index: LogIndex,
  stream: string,
  version: number,
  position: number,
): Promise<RunView | null> {
  const run = await readRun(store, stream, version)
  if (!run) return null
  const shown = run.steps.slice(-STEPS_SHOWN)
  const withCalls = new Set(shown.slice(-STEPS_WITH_CALLS))
  return {
    name: nameOf(run.started),
    startedAt: run.started.at,
    durationMs: lengthOf(run),
    costUsd: sumOf(run.steps, 'costUsd'),
    steps: await Promise.all(
      shown.map(async (step) => ({
        ...step,
        calls: withCalls.has(step) ? await callsOf(store, index, step, position) : [],
      })),
    ),
    moreSteps: run.steps.length - shown.length,
  }
}

/** Bars on the page of a run. */
const STEPS_LISTED = 2000

/** The page of a run, without the texts of its steps. Needs no index. */
export async function runPage(
  store: EventStore,
  index: LogIndex,
  id: string,
  version: number,
): Promise<RunPageView | null> {
  const stream = `run/${id}`
  const run = await readRun(store, stream, version)
  if (!run) return null
  const { facts, started, status, steps, startMs, endMs } = run
  const { forkedFrom = null, session = null } = started.data as {
    forkedFrom?: { run: string; stepKey: string }
    session?: string
  }
  const end = facts.findLast(({ type }) => STATUSES[type] !== undefined) ?? started
  const { errors = [], reason = null } = end.data as EndOfRun
  const shown = steps.slice(-STEPS_LISTED)
  const count = (state: StepNode['state']) => steps.filter((step) => step.state === state).length
  return {
    stream,
    id,
    name: nameOf(started),
    status,
    tone: toneOfStatus(status),
    isOver: isEnded(status),
    isResumable: isResumable(status, end),
    version: run.version,
    newestVersion: await store.head(stream),
    position: facts.at(-1)?.position ?? started.position,
    startedAt: started.at,
    endedAt: endMs === null ? null : end.at,
    resumedMs: facts.filter(({ type }) => type === 'RunResumed').map(({ at }) => Date.parse(at) - startMs),
    costUsd: sumOf(steps, 'costUsd'),
    tokens: sumOf(steps, 'tokens'),
    session,
    counts: {
      scheduled: count('scheduled'),
      succeeded: count('succeeded'),
      failed: count('failed'),
      cancelled: count('cancelled'),
    },
    prompt: await textView(store, started, 'data.prompt'),
    textInput: await textView(store, started, 'data.textInput'),
    material: bounded((started.data as { material?: unknown }).material ?? null, 'material').data,
    output: await textView(store, end, 'data.finalOutput'),
    reason: reason === null ? null : visible(reason),
    errors: errors.slice(0, 50).map(({ agent, code, message }) => ({
      agent,
      problem: brief(`${code}: ${message}`, 1000),
    })),
    forkedFrom: forkedFrom?.run ?? null,
    forks: forksOf(index, stream),
    steps: shown.map(({ calls: _, taskId: __, stepKey: ___, ...step }) => step),
    moreSteps: steps.length - shown.length,
  }
}

interface EndOfRun {
  readonly errors?: readonly { readonly agent: string; readonly code: string; readonly message: string }[]
  readonly reason?: string | null
}

/** Whether it stopped, and has anything left to ask: work that has not landed is landed, not asked for again. */
export function isResumable(status: string, end: Recorded | undefined): boolean {
  const { errors = [] } = (end?.data ?? {}) as EndOfRun
  const isAnswered = errors.length > 0 && errors.every(({ code }) => code === 'WorkNotLandedError')
  return status === 'paused' || (status === 'failed' && !isAnswered)
}

/** The actors that were forked from this one, as far as they are known. */
export const forksOf = (index: LogIndex, stream: string): RunPageView['forks'] =>
  index.tracks
    .filter(({ origin }) => origin?.stream === stream)
    .slice(0, 100)
    .map(({ id, label, origin }) => ({ id, label, version: origin?.version ?? null }))

const STEPS_PER_REQUEST = 60

/** What was asked and answered in a few steps of a run, each on one line. */
export async function stepPage(
  store: EventStore,
  index: LogIndex,
  id: string,
  from: number,
): Promise<StepPage> {
  const run = await readRun(store, `run/${id}`, 0)
  const steps = run?.steps.slice(from, from + STEPS_PER_REQUEST) ?? []
  return {
    steps: await Promise.all(
      steps.map(async (step): Promise<StepBrief> => {
        const [accepted, answered] = await Promise.all([
          acceptedBy(store, index, step),
          answerOf(store, run?.facts ?? [], step),
        ])
        return {
          index: step.index,
          asked: accepted ? unmarked(await beginOf(store, accepted, 'data.prompt'), 200) : '',
          answered: answered ? unmarked(await beginOf(store, answered, 'data.text'), 200) : '',
        }
      }),
    ),
  }
}

const beginOf = async (store: EventStore, recorded: Recorded, path: string): Promise<string> =>
  (await textView(store, recorded, path, 400))?.text ?? ''

/** One step in full; null if the run has none at this position. */
export async function stepView(
  store: EventStore,
  index: LogIndex,
  id: string,
  position: number,
): Promise<StepDetails | null> {
  const run = await readRun(store, `run/${id}`, 0)
  const step = run?.steps.find((one) => one.position === position)
  if (!run || !step) return null
  const accepted = await acceptedBy(store, index, step)
  const answered = await answerOf(store, run.facts, step)
  return {
    taskId: step.taskId,
    stepKey: step.stepKey,
    prompt: accepted && (await textView(store, accepted, 'data.prompt')),
    textInput: accepted && (await textView(store, accepted, 'data.textInput')),
    answer: answered && (await textView(store, answered, 'data.text')),
    agentVersion: answered?.stream === `agent/${step.worker}` ? answered.version : null,
    calls: await callsOf(store, index, step, Math.max(index.position, position)),
    fork: isEnded(run.status) ? forkOfRun(index, id, step.stepKey) : null,
  }
}

/** How many facts around the one that scheduled a step are read: they were written together. */
const NEAR = 8

/** The fact with which the worker accepted the step's task; null if it is not found. */
async function acceptedBy(
  store: EventStore,
  index: LogIndex,
  { worker, taskId, position }: StepNode,
): Promise<Recorded | null> {
  const isIt = ({ type, data }: Recorded) => type === 'TaskAccepted' && data.taskId === taskId
  const to = Math.min(position + NEAR, await store.head())
  for await (const { recorded } of readLogEntries(store, Math.max(1, position - NEAR), to))
    if (recorded && isIt(recorded)) return recorded
  const track = index.track(`agent/${worker}`)
  if (!track) return null
  const after = index.table.version(track.lastUpTo(position))
  for await (const recorded of store.read(track.name, { after, to: after + FACTS_OF_A_STEP }))
    if (isIt(recorded)) return recorded
  return null
}

/** The fact that holds the answer: of the agent, or of the run in older logs. */
async function answerOf(
  store: EventStore,
  facts: readonly Recorded[],
  { worker, state, endPosition }: StepNode,
): Promise<Recorded | null> {
  if (state !== 'succeeded') return null
  const end = facts.find(({ position }) => position === endPosition)
  const { text, answer } = (end?.data ?? {}) as { text?: unknown; answer?: number }
  if (!end || text !== undefined || typeof answer !== 'number') return end ?? null
  for await (const recorded of store.read(`agent/${worker}`, { after: answer - 1, to: answer }))
    return recorded
  return null
}

/** A task takes about four facts, and a few more for each retry. */
const FACTS_OF_A_STEP = 64

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
