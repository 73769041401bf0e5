/** The runs as the log has them, whichever process executes them: listed, shown, and followed to their results. Writes nothing. */
import type { AgentSystem } from '../../../actors/agent/system.ts'
import type { Bodies } from '../../../actors/engine/bodies.ts'
import { foldStream } from '../../../actors/engine/history.ts'
import type { Clock } from '../../../clock.ts'
import type { Recorded } from '../../../events/envelope.ts'
import { RunInterruptedError, RunNotFoundError } from '../../../events/errors/run.ts'
import { ClosedError } from '../../../events/errors/usage.ts'
import { checkId, streamName } from '../../../events/ids.ts'
import { nearestName } from '../../../events/nearest-name.ts'
import { runFacts } from '../../../events/run-facts.ts'
import type { TaskInput } from '../../../events/task-input.ts'
import { followOnly } from '../../../store/follow.ts'
import { readRunInput } from '../input.ts'
import { type RunContext, type RunSnapshot, type RunStatus, runKind } from '../machine.ts'
import {
  checkRunListOptions,
  type RunDetails,
  type RunDriver,
  type RunInfo,
  type RunListOptions,
} from '../options.ts'
import { type RecordedStep, recordedSteps } from '../recorded-steps.ts'
import { endsRun, lastRunTurn, recordedResult, type WorkflowResult } from '../workflow-result.ts'
import { atPresent, courseOf } from './conditions.ts'
import { type RunDiff, type RunDiffOptions, type RunFilesEnvironment, runDiff } from './files.ts'

/** Who executes which run. */
export interface RunDrivers {
  isActive(runId: string): boolean
  of(runId: string): Promise<RunDriver>
}

export interface RecordedRunsEnvironment extends RunFilesEnvironment {
  readonly clock: Clock
  readonly agents: AgentSystem
  readonly bodies: Bodies
  /** Who executes which run, or did when this was called: one that ends while it is listed was running. */
  readonly drivers: () => Promise<RunDrivers>
}

export const RUN_STREAMS = 'run/'

export class RecordedRuns {
  readonly #environment: RecordedRunsEnvironment

  constructor(environment: RecordedRunsEnvironment) {
    this.#environment = environment
  }

  /** The runs, the newest first. */
  async list(which: RunListOptions = {}): Promise<readonly RunInfo[]> {
    checkRunListOptions(which)
    const { open = false } = which
    const { store, agents } = this.#environment
    const drivers = await this.#environment.drivers()
    const found: (RunInfo & { readonly position: number })[] = []
    for await (const { stream, summary } of store.streams({ prefix: RUN_STREAMS, open })) {
      const runId = stream.slice(RUN_STREAMS.length)
      const { name = '', steps = 0, done = 0, costUsd = 0 } = (summary?.info ?? {}) as Partial<RunInfo>
      const status = (summary?.status ?? 'absent') as RunStatus
      const course = await this.#course(runId, status, drivers)
      found.push({ runId, name, status, steps, done, costUsd, ...course })
    }
    const newestFirst = found
      .sort((one, other) => other.position - one.position)
      .map(({ position: _, ...info }) => info)
    return atPresent(newestFirst, agents, drivers.of)
  }

  /** A run with its steps. Throws InvalidIdError, RunNotFoundError. */
  async show(runId: string): Promise<RunDetails> {
    const { agents } = this.#environment
    const drivers = await this.#environment.drivers()
    const { value: status, context } = await this.stateOf(checkId('run', runId))
    if (status === 'absent') throw await this.unknown(runId)
    const { name, steps, done, costUsd, workflow } = context
    const taken = [...(await this.steps(runId)).values()]
    const finalOutput = await this.#finalOutput(runId, status)
    const { position: _, ...course } = await this.#course(runId, status, drivers)
    const figures = { steps, done, costUsd }
    const recorded = { runId, name, status, ...course, ...figures, workflow, taken, finalOutput }
    const [run = recorded] = await atPresent<RunDetails>([recorded], agents, drivers.of)
    return run
  }

  /** The result of a run, once the log has its end. Rejects as a run that was cancelled does. */
  async result(runId: string): Promise<WorkflowResult> {
    const { store, bodies } = this.#environment
    const stream = streamOfRun(runId)
    const end = await this.#end(stream)
    if (!end) throw new ClosedError({ what: 'store' })
    const { type, data } = runFacts.read(end)
    if (type === 'RunCancelled') throw new RunInterruptedError({ runId, paused: false, ...data })
    return recordedResult(runId, { store, stream, to: end.version }, bodies)
  }

  /** What the agents of a run did in it to their files. Throws InvalidIdError, RunNotFoundError. */
  async diff(runId: string, options?: RunDiffOptions): Promise<RunDiff> {
    await this.assertKnown(runId)
    return runDiff(this.#environment, runId, (await this.steps(runId)).values(), options)
  }

  /** Throws InvalidIdError, RunNotFoundError. */
  async assertKnown(runId: string): Promise<void> {
    const version = await this.#environment.store.head(streamOfRun(checkId('run', runId)))
    if (version === 0) throw await this.unknown(runId)
  }

  /** The error for an unknown run, with the id that was probably meant. */
  async unknown(runId: string): Promise<RunNotFoundError> {
    const known: string[] = []
    for await (const { stream } of this.#environment.store.streams({ prefix: RUN_STREAMS }))
      known.push(stream.slice(RUN_STREAMS.length))
    return new RunNotFoundError({ runId, nearest: nearestName(runId, known) })
  }

  async stateOf(runId: string): Promise<RunSnapshot> {
    return (await foldStream(runKind, this.#environment.store, streamOfRun(runId))).snapshot
  }

  /** The task that a run was started with. */
  async taskOf(runId: string, { input }: RunContext): Promise<TaskInput> {
    if (!input) throw await this.unknown(runId)
    return readRunInput(input, this.#environment.bodies)
  }

  /** The steps by key, in the order in which they were first scheduled. */
  steps(runId: string): Promise<Map<string, RecordedStep>> {
    return recordedSteps(this.#environment.store, streamOfRun(runId))
  }

  /** The texts of the answers, by step key. */
  async answersOf(steps: ReadonlyMap<string, RecordedStep>): Promise<Map<string, string>> {
    const texts = new Map<string, string>()
    for (const { stepKey, text } of steps.values())
      if (text !== null) texts.set(stepKey, await this.#environment.bodies.read(text))
    return texts
  }

  /** The id of the run's first fact. */
  async firstFactOf(runId: string): Promise<string | null> {
    for await (const { id } of this.#environment.store.read(streamOfRun(runId), { limit: 1 })) return id
    return null
  }

  /** The fact that ends a run, once it is there; undefined if the store closes before. */
  async #end(stream: string): Promise<Recorded | undefined> {
    const { store } = this.#environment
    const last = await lastRunTurn(store, stream)
    if (last && endsRun(last)) return last
    for await (const recorded of followOnly(store, { stream }, { after: last?.position ?? 0 }))
      if (endsRun(recorded)) return recorded
    return undefined
  }

  /** What the log says of a run without its steps. */
  async #course(runId: string, status: RunStatus, drivers: RunDrivers) {
    const { store, clock, bodies } = this.#environment
    const place = { store, now: clock.now() }
    const course = await courseOf(place, streamOfRun(runId), bodies, status, drivers.isActive(runId))
    return { ...course, driver: null, reason: status === 'paused' ? status : null }
  }

  async #finalOutput(runId: string, status: RunStatus): Promise<string | null> {
    if (status !== 'succeeded' && status !== 'failed') return null
    const { store, bodies } = this.#environment
    for await (const recorded of store.read(streamOfRun(runId), { direction: 'backwards' })) {
      const { type, data } = runFacts.read(recorded)
      if (type === 'RunSucceeded' || type === 'RunFailed')
        return data.finalOutput === null ? null : bodies.read(data.finalOutput)
    }
    return null
  }
}

export const streamOfRun = (runId: string) => streamName(runKind.kind, runId)
