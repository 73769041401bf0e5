/** The runs of workflows: started, gone on with, looked at. */
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Budgets } from '../../actors/admission/budgets.ts'
import type { AgentSystem } from '../../actors/agent/system.ts'
import { type ActorEnvironment, EventSourcedActor } from '../../actors/engine/actor.ts'
import { type Bodies, bodiesIn } from '../../actors/engine/bodies.ts'
import type { Recorded } from '../../events/envelope.ts'
import {
  RunActiveError,
  RunConflictError,
  RunFinishedError,
  RunNotFoundError,
} from '../../events/errors/run.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { checkId } from '../../events/ids.ts'
import { type Budget, checkBudget } from '../../events/options/budget.ts'
import { type RunFact, runFacts } from '../../events/run-facts.ts'
import { checkTaskInput, type TaskInput } from '../../events/task-input.ts'
import type { Pattern } from '../pattern.ts'
import type { RunActor } from './durable-ask.ts'
import { type ForkedRun, forkRun, type RunForkOptions } from './fork.ts'
import type { ResumeOptions, RunDetails, RunInfo, RunOptions } from './info.ts'
import { isSameInput, writtenInput } from './input.ts'
import { callOff, copiedAgents } from './left-steps.ts'
import { type RunStatus, runKind } from './machine.ts'
import { planRun, type RunPlan } from './plan.ts'
import { type RecordedStep, recordedSteps } from './recorded-steps.ts'
import { type Prepared, Run } from './run.ts'
import { configFingerprint } from './step-key.ts'
import { type CopyUse, Workers } from './workers.ts'
import { recordedResult, type WorkflowResult } from './workflow-result.ts'

const STREAMS = 'run/'

/** What runs need of the world. */
interface RunsEnvironment extends ActorEnvironment {
  readonly budgets: Budgets
}

interface Beginning {
  readonly id: string
  readonly pattern: Pattern
  readonly signal: AbortSignal | undefined
  /** undefined where only the log knows it. */
  readonly task: TaskInput | undefined
}

export class Runs {
  readonly #environment: RunsEnvironment
  readonly #agents: AgentSystem
  readonly #bodies: Bodies
  readonly #active = new Map<string, Pick<Beginning, 'task'> & { readonly run: Run }>()
  /** The actors of those. */
  readonly #actors = new Map<string, RunActor>()
  readonly #copyUse: CopyUse = new Map()
  #closed = false

  constructor(environment: RunsEnvironment, agents: AgentSystem) {
    this.#environment = environment
    this.#agents = agents
    this.#bodies = bodiesIn(environment.store)
  }

  /** Starts a run, or goes on with the one of this id. Throws, or the run does, RunConflictError for another input. */
  start(pattern: Pattern, input: string | TaskInput, options: RunOptions = {}): Run {
    const id = checkId('run', options.id ?? randomUUID())
    const task = checkTaskInput(input)
    if (options.budget !== undefined) checkBudget(options.budget)
    const active = this.#active.get(id)
    if (active?.task && !isDeepStrictEqual(active.task, task)) throw new RunConflictError({ runId: id })
    const prepare = () => this.#prepare(id, pattern, task, options)
    return active?.run ?? this.#begin({ id, pattern, signal: options.signal, task }, prepare)
  }

  /** Goes on with a run. Throws (the run does) RunNotFoundError, RunFinishedError, RunActiveError. */
  resume(id: string, pattern: Pattern, { signal, budget }: ResumeOptions = {}): Run {
    checkId('run', id)
    if (budget !== undefined) checkBudget(budget)
    if (this.#active.has(id)) throw new RunActiveError({ runId: id })
    return this.#begin({ id, pattern, signal, task: undefined }, async () => {
      const actor = await this.#unfinished(id)
      await this.#checkAgents(pattern)
      await this.#limit(id, budget)
      return this.#resumed(id, actor)
    })
  }

  /** What resuming a run with this pattern would do. Throws what resuming it would. Asks nobody and writes nothing. */
  async plan(id: string, pattern: Pattern): Promise<RunPlan> {
    if (this.#active.has(checkId('run', id))) throw new RunActiveError({ runId: id })
    const actor = await this.#unfinished(id)
    await this.#checkAgents(pattern)
    const steps = await recordedSteps(this.#environment.store, actor.stream)
    const answers = await this.#texts(steps)
    const fingerprint = (agent: string) => this.#fingerprint(agent)
    return planRun(pattern, await this.#task(id, actor), { steps, answers, fingerprint })
  }

  /** All runs, by id. */
  async list(): Promise<readonly RunInfo[]> {
    const infos: RunInfo[] = []
    for await (const { stream, summary } of this.#environment.store.streams({ prefix: STREAMS })) {
      const { name = '', steps = 0, done = 0, costUsd = 0 } = (summary?.info ?? {}) as Partial<RunInfo>
      const status = (summary?.status ?? 'absent') as RunStatus
      infos.push({ runId: stream.slice(STREAMS.length), name, status, steps, done, costUsd })
    }
    return infos
  }

  /** What is known of a run and its steps. Throws RunNotFoundError. */
  async show(id: string): Promise<RunDetails> {
    const actor = await this.#load(checkId('run', id))
    const { value: status, context } = actor.snapshot
    if (status === 'absent') throw new RunNotFoundError({ runId: id })
    const { name, steps, done, costUsd, workflow } = context
    const taken = [...(await recordedSteps(this.#environment.store, actor.stream)).values()]
    const finalOutput = await this.#finalOutput(actor)
    return { runId: id, name, status, steps, done, costUsd, workflow, taken, finalOutput }
  }

  /** A new run that takes over what another one had answered before a step. Nothing is asked until it is resumed. */
  fork(id: string, options: RunForkOptions): Promise<ForkedRun> {
    return forkRun(this.#environment, checkId('run', id), options)
  }

  /** Throws InvalidIdError, RunNotFoundError. */
  async assertKnown(id: string): Promise<void> {
    const version = await this.#environment.store.head(`${STREAMS}${checkId('run', id)}`)
    if (version === 0) throw new RunNotFoundError({ runId: id })
  }

  /** Ends a run for good, also one that no process works on. */
  async cancel(id: string, reason = 'asked to'): Promise<void> {
    const active = this.#active.get(checkId('run', id))
    if (active) return active.run.cancel(reason)
    const { status, taken } = await this.show(id)
    if (status === 'succeeded' || status === 'cancelled') throw new RunFinishedError({ runId: id, status })
    const calledOff = await callOff(this.#agents, taken, { reason, forGood: true })
    const actor = await this.#load(id)
    const ended: RunFact = { type: 'RunCancelled', data: { reason } }
    await actor.decide(({ value }) => [...(value === 'running' ? calledOff : []), ended], {
      correlationId: id,
    })
    await new Workers(this.#agents, this.#copyUse, copiedAgents(taken)).dismiss()
  }

  /** Resolves when no run is going on, however they ended. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#active.values()].map(({ run }) => run))
  }

  /** Leaves the runs as they are: the next process can go on with them. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#actors.values()].map((actor) => actor.close()))
  }

  #begin({ id, pattern, signal, task }: Beginning, prepare: () => Promise<Prepared | WorkflowResult>): Run {
    const run = new Run(id, pattern, prepare)
    this.#active.set(id, { run, task })
    const pause = () => void run.pause(String(signal?.reason))
    if (signal?.aborted) pause()
    signal?.addEventListener('abort', pause, { once: true })
    const end = () => {
      this.#active.delete(id)
      this.#actors.delete(id)
      void this.#environment.budgets.rest({ run: id }).catch(() => {})
      signal?.removeEventListener('abort', pause)
    }
    run.then(end, end)
    return run
  }

  async #prepare(id: string, pattern: Pattern, task: TaskInput, options: RunOptions) {
    const actor = await this.#load(id)
    const { value, context } = actor.snapshot
    if (value === 'cancelled') throw new RunFinishedError({ runId: id, status: value })
    const input = await writtenInput(task, this.#bodies)
    if (context.input && !isSameInput(context.input, input)) throw new RunConflictError({ runId: id })
    if (value === 'succeeded') {
      const steps = await recordedSteps(this.#environment.store, actor.stream)
      const finalOutput = (await this.#finalOutput(actor)) ?? ''
      return recordedResult(id, context.name, finalOutput, steps, await this.#texts(steps))
    }
    await this.#checkAgents(pattern)
    await this.#limit(id, options.budget)
    if (value !== 'absent') return this.#resumed(id, actor)
    const started = { name: options.name ?? 'workflow', workflow: options.workflow ?? null, ...input }
    const [begun] = await actor.decide(() => [{ type: 'RunStarted', data: started }], { correlationId: id })
    return { context: await this.#context(id, actor, begun), task }
  }

  /** Before its first step: what it may spend. */
  async #limit(id: string, budget: Budget | undefined): Promise<void> {
    if (budget) await this.#environment.budgets.set({ run: id }, budget, 'declared')
  }

  async #resumed(id: string, actor: RunActor): Promise<Prepared> {
    const task = await this.#task(id, actor)
    const origin = { correlationId: id, causationId: await this.#started(actor) }
    const [begun] = await actor.decide(() => [{ type: 'RunResumed', data: {} }], origin)
    return { context: await this.#context(id, actor, begun), task }
  }

  /** A run that can be gone on with. */
  async #unfinished(id: string): Promise<RunActor> {
    const actor = await this.#load(id)
    const { value } = actor.snapshot
    if (value === 'absent') throw new RunNotFoundError({ runId: id })
    if (value === 'succeeded' || value === 'cancelled')
      throw new RunFinishedError({ runId: id, status: value })
    return actor
  }

  /** What the run was started with. */
  async #task(id: string, actor: RunActor): Promise<TaskInput> {
    const { input } = actor.snapshot.context
    if (!input) throw new RunNotFoundError({ runId: id })
    const textInput = input.textInput === null ? {} : { textInput: await this.#bodies.read(input.textInput) }
    return checkTaskInput({
      prompt: await this.#bodies.read(input.prompt),
      ...textInput,
      ...input.material,
    })
  }

  /** The id of the run's first fact. */
  async #started({ stream }: RunActor): Promise<string | null> {
    for await (const { id } of this.#environment.store.read(stream, { limit: 1 })) return id
    return null
  }

  async #context(id: string, actor: RunActor, begun: Recorded | undefined): Promise<Prepared['context']> {
    // It was about to begin: what it has not done is not its failure.
    if (this.#closed) throw new ClosedError({ what: 'orchestrator' })
    this.#actors.set(id, actor)
    const steps = await recordedSteps(this.#environment.store, actor.stream)
    const fingerprints = new Map<string, string>()
    for (const { agent } of steps.values()) {
      if (!fingerprints.has(agent)) fingerprints.set(agent, await this.#fingerprint(agent))
    }
    const answers = await this.#texts(steps)
    const { agents, bodies, copyUse } = { agents: this.#agents, bodies: this.#bodies, copyUse: this.#copyUse }
    const own = { runId: id, actor, begun: begun?.id ?? id }
    return { ...own, agents, bodies, steps, answers, fingerprints, copyUse }
  }

  async #fingerprint(agent: string): Promise<string> {
    return configFingerprint((await this.#agents.get(agent)).snapshot.context.config)
  }

  async #texts(steps: ReadonlyMap<string, RecordedStep>): Promise<Map<string, string>> {
    const texts = new Map<string, string>()
    for (const { stepKey, text } of steps.values())
      if (text !== null) texts.set(stepKey, await this.#bodies.read(text))
    return texts
  }

  async #finalOutput({ stream, snapshot }: RunActor): Promise<string | null> {
    if (snapshot.value !== 'succeeded' && snapshot.value !== 'failed') return null
    for await (const recorded of this.#environment.store.read(stream, { direction: 'backwards' })) {
      const { type, data } = runFacts.read(recorded)
      if (type === 'RunSucceeded' || type === 'RunFailed')
        return data.finalOutput === null ? null : this.#bodies.read(data.finalOutput)
    }
    return null
  }

  /** An agent that is not there is an error before anything is paid for. */
  async #checkAgents({ agents = [] }: Pattern): Promise<void> {
    for (const agent of agents) await this.#agents.get(agent)
  }

  #load(id: string): Promise<RunActor> {
    return EventSourcedActor.load(runKind, id, this.#environment)
  }
}
