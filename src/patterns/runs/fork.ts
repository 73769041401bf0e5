/** Forks a run at a step: the new run carries over the answers of the steps before it. */
import type { ActorEnvironment } from '../../actors/engine/actor.ts'
import { foldStream } from '../../actors/engine/history.ts'
import { Life } from '../../actors/engine/life.ts'
import type { Recorded } from '../../events/envelope.ts'
import { CannotForkError, StepNotFoundError } from '../../events/errors/history.ts'
import { RunNotFoundError } from '../../events/errors/run.ts'
import { checkId, streamName } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import { type RunFact, runFacts } from '../../events/run-facts.ts'
import type { EventStore } from '../../store/event-store.ts'
import { runKind } from './machine.ts'
import { type RecordedStep, recordedSteps } from './recorded-steps.ts'

/** Where to fork a run, and the id of the new one. */
export interface RunForkOptions {
  /** The first step that is not carried over: its number, from 1, or its key. */
  readonly at: number | string
  /** The id of the new run. Default: a UUID. */
  readonly as?: string
  /** Who forks it: a person or a program. It is recorded in the log. */
  readonly by?: string
}

/** A run that was forked from another one. */
export interface ForkedRun {
  readonly runId: string
  readonly forkedFrom: { readonly run: string; readonly stepKey: string }
  /** The keys of the steps whose answers were carried over. */
  readonly carried: readonly string[]
}

/**
 * Records the new run as paused; resuming it asks the remaining steps. A step that was scheduled after the fork is not
 * carried over, even if it was answered before.
 */
export async function forkRun(
  environment: ActorEnvironment,
  run: string,
  { at, as, by }: RunForkOptions & { readonly as: string },
): Promise<ForkedRun> {
  const { store } = environment
  const stream = streamName('run', run)
  const started = await firstFact(store, stream)
  if (!started) throw new RunNotFoundError({ runId: run })
  const steps = [...(await recordedSteps(store, stream)).values()]
  const { stepKey } = stepAt(run, steps, at)
  const before = steps.slice(
    0,
    steps.findIndex((step) => step.stepKey === stepKey),
  )
  const carried = before.filter(({ state, text }) => state === 'succeeded' && text !== null)
  const actor = await Life.load(runKind, checkId('run', as), environment)
  if (actor.version > 0)
    throw new CannotForkError({
      what: `Run "${run}"`,
      problem: `run "${as}" already exists`,
      hint: 'Choose another id.',
    })
  const { forkedFrom: _, by: __, ...data } = startedData(started)
  // It may have been resumed as another one.
  const { workflow, hash } = (await foldStream(runKind, store, stream)).snapshot.context
  const forkedFrom = { run, stepKey }
  try {
    const facts: (readonly [fact: RunFact, cause: string])[] = [
      [{ type: 'RunStarted', data: { ...data, workflow, ...defined({ hash, by }), forkedFrom } }, started.id],
      ...carried.flatMap((step) => carriedFacts(run, step)),
      [{ type: 'RunPaused', data: { reason: `it was forked off run ${run}` } }, started.id],
    ]
    const causationIds = facts.map(([, cause]) => cause)
    await actor.decide(() => facts.map(([fact]) => fact), { correlationId: as, causationIds })
  } finally {
    await actor.close()
  }
  return { runId: as, forkedFrom, carried: carried.map((step) => step.stepKey) }
}

function carriedFacts(run: string, step: RecordedStep): [fact: RunFact, cause: string][] {
  const { stepKey, agent, worker, taskId, text, sessionId, factId } = step
  const answer = { stepKey, agent, text: text ?? '', sessionId: sessionId ?? '', carriedFrom: run }
  return [
    [{ type: 'StepScheduled', data: { stepKey, agent, worker, taskId } }, factId],
    [{ type: 'StepSucceeded', data: { ...answer, costUsd: 0, tokens: 0, durationMs: 0 } }, factId],
  ]
}

function stepAt(runId: string, steps: readonly RecordedStep[], at: number | string): RecordedStep {
  const byKey = steps.find(({ stepKey }) => stepKey === at)
  const found = byKey ?? (/^\d+$/.test(String(at)) ? steps[Number(at) - 1] : undefined)
  if (found) return found
  throw new StepNotFoundError({ runId, step: String(at), steps: steps.length })
}

async function firstFact(store: EventStore, stream: string): Promise<Recorded | undefined> {
  for await (const recorded of store.read(stream, { limit: 1 })) return recorded
  return undefined
}

function startedData(recorded: Recorded) {
  const fact = runFacts.read(recorded)
  if (fact.type === 'RunStarted') return fact.data
  throw new RunNotFoundError({ runId: recorded.stream })
}
