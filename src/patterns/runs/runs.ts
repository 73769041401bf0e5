/** The runs of workflows: started, resumed, planned, forked and cancelled. `recorded` lists and shows them. */
import { isDeepStrictEqual } from 'node:util'
import type { Budgets } from '../../actors/admission/budgets.ts'
import type { AgentSystem } from '../../actors/agent/system.ts'
import type { Verdict } from '../../actors/agent/tasks/held.ts'
import type { ActorEnvironment } from '../../actors/engine/actor.ts'
import { type Bodies, bodiesIn } from '../../actors/engine/bodies.ts'
import { Life } from '../../actors/engine/life.ts'
import { Mailbox } from '../../actors/engine/mailbox.ts'
import { insist, Wish } from '../../actors/engine/wish.ts'
import { inTime } from '../../clock.ts'
import type { Recorded } from '../../events/envelope.ts'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../events/errors/base.ts'
import { abortedBecause } from '../../events/errors/phrases.ts'
import {
  RunActiveError,
  RunConflictError,
  RunFinishedError,
  RunInterruptedError,
  WorkflowChangedError,
  WorkflowNotBuiltError,
} from '../../events/errors/run.ts'
import { ClosedError, InvalidInputError } from '../../events/errors/usage.ts'
import { checkId } from '../../events/ids.ts'
import { canonicalJson, defined } from '../../events/json.ts'
import type { Amount, Budget } from '../../events/options/budget.ts'
import { checkOptionsOf } from '../../events/options/decoding.ts'
import { type RunFact, runFacts } from '../../events/run-facts.ts'
import { checkTaskInput, type TaskInput } from '../../events/task-input.ts'
import type { LandWork } from '../../landing/step-landing.ts'
import { cancelAbandoned } from './abandoned-steps.ts'
import type { AskContext } from './durable-ask.ts'
import { type ForkedRun, forkRun, type RunForkOptions } from './fork.ts'
import { isSameInput, writeRunInput } from './input.ts'
import { type RunActor, type RunContext, runKind } from './machine.ts'
import {
  type BuiltWorkflow,
  checkResumeOptions,
  checkRunOptions,
  portable,
  type ResumeOptions,
  type RunOptions,
  type WaitingReason,
  type Workflow,
} from './options.ts'
import { planRun, type RunPlan } from './plan.ts'
import type { RunFilesEnvironment } from './reading/files.ts'
import { RecordedRuns, RUN_STREAMS, type RunDrivers, streamOfRun } from './reading/recorded-runs.ts'
import { type Prepared, Run, type RunPlacement } from './run.ts'
import type { StepEvent } from './step-event.ts'
import { type CopyUse, Workers } from './workers.ts'
import { type BuildSources, hasChanged, refuseChange, WorkflowBuilder } from './workflow-builder.ts'
import { endsRun, lastRunTurn, recordedResult, type WorkflowResult } from './workflow-result.ts'

interface RunsEnvironment extends ActorEnvironment, RunFilesEnvironment, BuildSources {
  readonly budgets: Budgets
  /** The session of a task that chooses none. */
  readonly session: 'chain' | 'fresh'
  /** A new id for a run. */
  readonly newId: () => string
  readonly land: LandWork
  /** Throws where nothing lands. */
  readonly assertLands: () => void
  /** Where runs are executed. Default: all of them here. */
  readonly placement: RunPlacement | undefined
}

/** A run that this process executes. */
interface ActiveRun {
  readonly run: Run
  /** Its input; undefined until it has been read from the log. */
  task: TaskInput | undefined
}

/** How long runs may take to be built before their store is open, in ms: longer than it takes to load a large module. */
const BUILDS_WITHIN_MS = 10_000

export class Runs {
  readonly recorded: RecordedRuns
  readonly workflows: WorkflowBuilder
  readonly #environment: RunsEnvironment
  readonly #agents: AgentSystem
  readonly #bodies: Bodies
  readonly #active = new Map<string, ActiveRun>()
  /** The actors of the active runs. */
  readonly #actors = new Map<string, RunActor>()
  /** Those of runs that are being cancelled and that this process does not execute. */
  readonly #cancelled = new Set<RunActor>()
  readonly #copyUse: CopyUse = new Map()
  /** Late costs and the loading of runs take turns: a run's stream must have one actor. */
  readonly #late = new Mailbox()
  /** Why `drive` has left runs as they were. */
  readonly #left = new Map<string, WaitingReason>()
  /** Wanted until it is closed. */
  readonly #life: Wish
  #closed = false

  constructor(environment: RunsEnvironment, agents: AgentSystem) {
    this.#environment = environment
    this.#agents = agents
    this.#bodies = bodiesIn(environment.store)
    const drivers = () => this.#driversFromNowOn()
    this.recorded = new RecordedRuns({ ...environment, agents, bodies: this.#bodies, drivers })
    this.workflows = new WorkflowBuilder(environment, agents)
    this.#life = new Wish(environment.clock)
  }

  /**
   * Starts a run, or resumes the one with this id. With another input for that id, the run rejects with RunConflictError.
   */
  start(workflow: Workflow, input: string | TaskInput, options: RunOptions = {}): Run {
    const id = checkId('run', options.id ?? this.#environment.newId())
    const task = checkTaskInput(input)
    checkRunOptions(options)
    const active = this.#active.get(id)
    if (active?.task && !isDeepStrictEqual(active.task, task))
      return new Run(id, () => Promise.reject(new RunConflictError({ runId: id })))
    if (active) return active.run
    const place = this.#placeOf(id)
    const data = portable(typeof workflow === 'function' ? options.workflow : workflow)
    if (place && data) {
      const { id: _, workflow: __, signal, ...given } = options
      const toBegin = { runId: id, workflow: data, input: task, options: given, signal }
      return new Run(id, () => place.begin(toBegin))
    }
    const run = new Run(id, () => this.#prepare(id, workflow, task, options))
    return this.#activate({ run, task }, options.signal)
  }

  /**
   * Resumes a run, by default with the workflow that it recorded. Throws RunActiveError; the run rejects with
   * RunNotFoundError, RunFinishedError, WorkflowChangedError, WorkflowNotBuiltError.
   */
  resume(id: string, workflow?: Workflow, given: ResumeOptions = {}): Run {
    checkId('run', id)
    checkResumeOptions(given)
    const { signal, budget, by, acceptChanges = false } = given
    if (this.#active.has(id)) throw new RunActiveError({ runId: id })
    const prepare = async () => {
      const actor = await this.#unfinished(id, await this.#loadActive(id))
      const { context } = actor.snapshot
      const built = await this.workflows.buildAgain(id, context, workflow)
      if (!acceptChanges) refuseChange(id, context, built)
      return this.#resumed(id, actor, built, { budget, by })
    }
    const place = this.#placeOf(id)
    if (!place) return this.#activate({ run: new Run(id, prepare), task: undefined }, signal)
    const run: Run = new Run(id, async () => {
      const given = portable(workflow)
      const recorded = portable((await this.recorded.stateOf(id)).context.workflow)
      const options = defined({ budget, by, acceptChanges: acceptChanges || undefined })
      if (given || (recorded && workflow === undefined))
        return place.begin({ runId: id, workflow: given, input: undefined, options, signal })
      if (recorded) {
        const problem = 'its workflow is data, and workers execute it'
        throw new InvalidInputError({ what: `Run ${id}`, problem, hint: 'Resume it without the code.' })
      }
      if (this.#active.has(id)) throw new RunActiveError({ runId: id })
      this.#activate({ run, task: undefined }, signal)
      return prepare()
    })
    return run
  }

  /** Where a run is executed, if that is not this process. */
  #placeOf(id: string): RunPlacement | undefined {
    const { placement } = this.#environment
    return placement?.owns(id) ? undefined : placement
  }

  /**
   * Resumes a run if the log has it as running and its workflow can be built here. Resolves when it has a driver, or a reason
   * why it waits.
   */
  async take(id: string): Promise<void> {
    if (this.#active.has(id)) return
    const { value, context } = await this.recorded.stateOf(id)
    if (value === 'running' && portable(context.workflow))
      await this.#drive(id, (workflow) => this.workflows.build(workflow))
  }

  /** Leaves a run to another process, and records nothing of it any more. What its steps have asked continues. */
  async release(id: string, cause?: unknown): Promise<void> {
    const active = this.#active.get(id)
    this.#left.delete(id)
    active?.run.leave(cause)
    await this.#actors.get(id)?.close()
    await active?.run.ended
  }

  /**
   * What became of a run that was begun after a version of it: its execution here, or its result. undefined if it is to begin,
   * or waits. Rejects if it was paused or cancelled.
   *
   * @param tell Is told of its steps, if it has ended.
   */
  async begunBefore(
    id: string,
    after: number,
    tell: (step: StepEvent) => void,
  ): Promise<Run | WorkflowResult | undefined> {
    const { store } = this.#environment
    const stream = streamOfRun(id)
    const last = await lastRunTurn(store, stream)
    if (!last || last.version <= after) return undefined
    const active = this.#active.get(id)
    if (active) return active.run
    const { type, data } = runFacts.read(last)
    if (type === 'RunPaused' || type === 'RunCancelled')
      throw new RunInterruptedError({ runId: id, paused: type === 'RunPaused', ...data })
    if (!endsRun(last)) return undefined
    return recordedResult(id, { store, stream, to: last.version }, this.#bodies, { tell })
  }

  /** Resolves when this process does not execute a run, or no more. */
  async ended(id: string): Promise<void> {
    await this.#active.get(id)?.run.ended
  }

  /** The runs that this process has left as they were, and why. */
  get waiting(): ReadonlyMap<string, WaitingReason> {
    return this.#left
  }

  /**
   * Resumes the runs that the log has as running, as far as their workflows can be built here. Resolves when each has a
   * driver, or a reason why it waits.
   */
  async drive(): Promise<void> {
    const built = new Map<string, Promise<BuiltWorkflow>>()
    /** Many runs may be of one workflow. */
    const build = (workflow: Workflow) => {
      const key = canonicalJson(workflow)
      const building = built.get(key) ?? this.workflows.build(workflow)
      built.set(key, building)
      return building
    }
    const decided: Promise<void>[] = []
    for await (const { stream } of this.#environment.store.streams({ prefix: RUN_STREAMS, open: true }))
      decided.push(this.#drive(stream.slice(RUN_STREAMS.length), build))
    await inTime(this.#environment.clock, Promise.all(decided), BUILDS_WITHIN_MS, undefined)
  }

  async #drive(id: string, build: (workflow: Workflow) => Promise<BuiltWorkflow>): Promise<void> {
    const before = this.#left.get(id)
    const leave = (reason: WaitingReason, error?: unknown) => {
      if (this.#closed) return
      this.#left.set(id, reason)
      if (reason !== before)
        this.#environment.logger.warn({ runId: id, reason, error }, 'a run is not resumed')
    }
    try {
      const { context } = await this.recorded.stateOf(id)
      if (!this.workflows.canBuild(context.workflow)) return leave('needs its program')
      // Until it is: a module may take for ever.
      this.#left.set(id, before ?? 'its workflow cannot be built')
      const built = await this.workflows.buildAgain(id, context, undefined, build)
      refuseChange(id, context, built)
      const task = await this.recorded.taskOf(id, context)
      // Begun or cancelled by another process meanwhile, through this one.
      if (this.#active.has(id) || this.#closed) return
      const prepare = async () =>
        this.#resumed(id, await this.#unfinished(id, await this.#loadActive(id)), built)
      const run = new Run(id, () => insist(prepare, this.#life))
      this.#left.delete(id)
      this.#activate({ run, task })
      run.begun.catch((error) => leave(reasonOf(error), error))
      run.catch(() => {})
    } catch (error) {
      leave(reasonOf(error), error)
    }
  }

  /**
   * What resuming a run would do, by default with the workflow that it recorded. Throws as resuming would, but not for a
   * workflow that has changed. Asks no agent and writes nothing.
   */
  async plan(id: string, workflow?: Workflow): Promise<RunPlan> {
    if (this.#active.has(checkId('run', id))) throw new RunActiveError({ runId: id })
    const actor = await this.#unfinished(id, await this.#load(id))
    const { context } = actor.snapshot
    const built = await this.workflows.buildAgain(id, context, workflow)
    const { pattern } = built
    const steps = await this.recorded.steps(id)
    const answers = await this.recorded.answersOf(steps)
    const fingerprint = (agent: string) => this.workflows.fingerprint(agent, pattern.team)
    const { clock } = this.#environment
    const sources = { runId: id, steps, answers, fingerprint, clock, session: context.session }
    const plan = await planRun(pattern, await this.recorded.taskOf(id, context), sources)
    return hasChanged(context, built) ? { ...plan, changed: true } : plan
  }

  /** Who executes which run, or did when this was called: one that ends while it is listed was running. */
  async #driversFromNowOn(): Promise<RunDrivers> {
    const now = new Set(this.#active.keys())
    const elsewhere = await this.#environment.placement?.drivers()
    const isHere = (id: string) => now.has(id) || this.isActive(id)
    const found = (id: string) => (isHere(id) ? { driver: process.pid } : elsewhere?.get(id))
    return {
      isActive: (id) => 'driver' in (found(id) ?? {}),
      of: async (id) => found(id) ?? { reason: await this.#whyWaiting(id) },
    }
  }

  async #whyWaiting(runId: string): Promise<WaitingReason> {
    const known = this.#left.get(runId)
    if (known) return known
    const { workflow } = (await this.recorded.stateOf(runId)).context
    return this.workflows.canBuild(workflow) ? 'needs an owner' : 'needs its program'
  }

  /**
   * The result of a run, once it has ended, whichever process executes it: followed in the log. Rejects as a run that was
   * cancelled does.
   */
  async result(id: string): Promise<WorkflowResult> {
    await this.recorded.assertKnown(id)
    return this.#active.get(id)?.run ?? this.recorded.result(id)
  }

  /** Forks a run: the new one carries over the answers before a step. No agent is asked until it is resumed. */
  async fork(id: string, options: RunForkOptions): Promise<ForkedRun> {
    checkOptionsOf('fork', options, { at: true, as: true, by: 'a text' })
    await this.recorded.assertKnown(id)
    return forkRun(this.#environment, id, {
      ...options,
      as: options.as ?? this.#environment.newId(),
    })
  }

  /** Ends a run for good, even if no process executes it. */
  async cancel(id: string, reason = 'asked to', { by }: Verdict = {}): Promise<void> {
    const active = this.#active.get(checkId('run', id))
    if (active) return active.run.cancel(reason, defined({ by }))
    const place = this.#placeOf(id)
    if (place && portable((await this.recorded.stateOf(id)).context.workflow))
      return place.cancel(id, reason, defined({ by }))
    const { status, taken } = await this.recorded.show(id)
    if (status === 'succeeded' || status === 'cancelled') throw new RunFinishedError({ runId: id, status })
    const abandoned = await cancelAbandoned(this.#agents, taken, { reason, forGood: true })
    const actor = await this.#load(id)
    if (this.#closed) throw new ClosedError({ what: 'orchestrator' })
    this.#cancelled.add(actor)
    const cancelled: RunFact = { type: 'RunCancelled', data: { reason, ...(by && { by }) } }
    const end = () =>
      actor.decide(({ value }) => [...(value === 'running' ? abandoned : []), cancelled], {
        correlationId: id,
      })
    const workers = new Workers(this.#agents, id, this.#copyUse, taken)
    try {
      await actor.insist(end)
      await actor.insist(() => workers.dismiss())
    } finally {
      this.#cancelled.delete(actor)
      void actor.close()
    }
  }

  /** Adds what a call of a step cost that was known only after its task had ended, once per call. */
  recordLateCost(
    id: string,
    taskId: string,
    callId: string,
    { usd: costUsd, tokens }: Amount,
  ): Promise<void> {
    return this.#late.post(async () => {
      const known = this.#actors.get(id)
      const actor = known && !known.closed ? known : await this.#load(id)
      if (actor.snapshot.value === 'absent') return
      const origin = { correlationId: id, commitId: `late-cost/${callId}/${id}` }
      await actor.decide(() => [{ type: 'StepCostRecorded', data: { taskId, costUsd, tokens } }], origin)
      if (actor !== known) await actor.close()
    })
  }

  /** Resolves when each active run has ended, in whatever way, or is held. */
  async settled(): Promise<void> {
    await Promise.all([...this.#active.values()].map(({ run }) => run.rested()))
  }

  /** Whether no run is active but those that are held. */
  get areSettled(): boolean {
    return [...this.#active.values()].every(({ run }) => run.isHeld)
  }

  /** Whether this process executes a run. */
  isActive(id: string): boolean {
    return this.#active.has(id)
  }

  /**
   * Leaves the runs as they are: the next process can resume them.
   *
   * @param error What has ended all work of this process, if something has.
   */
  async close(error?: ClaudeAgentError): Promise<void> {
    this.#closed = true
    this.#life.abort()
    for (const { run } of this.#active.values()) run.leave(error, error)
    await Promise.all([...this.#actors.values(), ...this.#cancelled].map((actor) => actor.close()))
  }

  #activate(active: ActiveRun, signal?: AbortSignal): Run {
    const { run } = active
    this.#active.set(run.id, active)
    // Until then it waits: resuming it may fail.
    void run.begun.then(
      () => this.#left.delete(run.id),
      () => {},
    )
    const pause = () => void run.pause(abortedBecause(signal?.reason))
    if (signal?.aborted) pause()
    signal?.addEventListener('abort', pause, { once: true })
    const end = () => {
      this.#active.delete(run.id)
      this.#actors.delete(run.id)
      void this.#environment.budgets.rest({ run: run.id }).catch(() => {})
      signal?.removeEventListener('abort', pause)
    }
    void run.ended.then(end)
    return run
  }

  /** Records that the run starts or resumes; the result if it has already succeeded. */
  async #prepare(
    id: string,
    workflow: Workflow,
    task: TaskInput,
    options: RunOptions,
  ): Promise<Prepared | WorkflowResult> {
    const isNew = options.id === undefined
    const actor = await this.#loadActive(id, isNew)
    const { value, context } = actor.snapshot
    if (value === 'cancelled') throw new RunFinishedError({ runId: id, status: value })
    const input = await writeRunInput(task, this.#bodies)
    if (context.input && !isSameInput(context.input, input)) throw new RunConflictError({ runId: id })
    if (value === 'succeeded') {
      const facts = { store: this.#environment.store, stream: actor.stream, to: actor.version }
      return recordedResult(id, facts, this.#bodies, { again: true })
    }
    const built = await this.workflows.build(workflow)
    if (value !== 'absent') {
      refuseChange(id, context, built)
      return this.#resumed(id, actor, built, options)
    }
    await this.workflows.assemble(built.pattern)
    await this.#setBudget(id, options.budget)
    const ownSession = this.#environment.session === 'fresh' ? 'fresh' : 'run'
    const { name = built.name, workflow: reference = built.workflow, session = ownSession } = options
    const started = {
      name,
      workflow: reference,
      ...(built.hash !== null && { hash: built.hash }),
      ...input,
      session,
    }
    const origin = { correlationId: id, causationId: options.causationId ?? null }
    const [begun] = await actor.decide(() => [{ type: 'RunStarted', data: started }], origin)
    return this.#prepared(id, actor, built, { task, begun, isNew, steps: new Map() })
  }

  async #resumed(
    id: string,
    actor: RunActor,
    built: BuiltWorkflow,
    { budget, by }: { readonly budget?: Budget | undefined; readonly by?: string | undefined } = {},
  ): Promise<Prepared> {
    await this.workflows.assemble(built.pattern)
    await this.#setBudget(id, budget)
    const task = await this.recorded.taskOf(id, actor.snapshot.context)
    const origin = { correlationId: id, causationId: await this.recorded.firstFactOf(id) }
    const { workflow } = built
    const isNew = (context: RunContext) =>
      !isDeepStrictEqual([context.workflow, context.hash ?? null], [workflow, built.hash])
    const [begun] = await actor.decide(
      ({ context }) => [
        {
          type: 'RunResumed',
          data: {
            ...(workflow !== null &&
              isNew(context) && { workflow, ...(built.hash !== null && { hash: built.hash }) }),
            ...(by && { by }),
          },
        },
      ],
      origin,
    )
    const steps = await this.recorded.steps(id)
    return this.#prepared(id, actor, built, { task, begun, isNew: false, steps })
  }

  async #prepared(
    id: string,
    actor: RunActor,
    { pattern }: BuiltWorkflow,
    {
      task,
      begun,
      isNew,
      steps,
    }: Pick<AskContext, 'isNew' | 'steps'> & {
      readonly task: TaskInput
      readonly begun: Recorded | undefined
    },
  ): Promise<Prepared> {
    // Closed before its first step: the run has not failed.
    if (this.#closed) throw new ClosedError({ what: 'orchestrator', kept: 'run' })
    const active = this.#active.get(id)
    if (active) active.task = task
    const fingerprints = new Map<string, string>()
    for (const { agent } of steps.values()) {
      if (!fingerprints.has(agent)) fingerprints.set(agent, await this.workflows.fingerprint(agent))
    }
    const context: Prepared['context'] = {
      runId: id,
      isNew,
      actor,
      begun: begun?.id ?? id,
      agents: this.#agents,
      clock: this.#environment.clock,
      session: actor.snapshot.context.session,
      bodies: this.#bodies,
      steps,
      answers: await this.recorded.answersOf(steps),
      fingerprints,
      copyUse: this.#copyUse,
      land: this.#environment.land,
      assertLands: this.#environment.assertLands,
    }
    return { context, pattern, task }
  }

  /** A run that can be resumed. Throws RunNotFoundError, RunFinishedError. */
  async #unfinished(id: string, actor: RunActor): Promise<RunActor> {
    const { value } = actor.snapshot
    if (value === 'absent') throw await this.recorded.unknown(id)
    if (value === 'succeeded' || value === 'cancelled')
      throw new RunFinishedError({ runId: id, status: value })
    return actor
  }

  #load(id: string): Promise<RunActor> {
    return Life.load(runKind, id, this.#environment)
  }

  /** The actor of a run that this process is about to execute. */
  #loadActive(id: string, isNew = false): Promise<RunActor> {
    return this.#late.post(async () => {
      await this.#environment.placement?.execute(id)
      const actor = isNew ? Life.begin(runKind, id, this.#environment) : await this.#load(id)
      // Another process executes the run now: nothing more is recorded here.
      actor.lost = (error) => void (this.#actors.get(id) === actor ? this.release(id, error) : actor.close())
      this.#actors.set(id, actor)
      return actor
    })
  }

  /** Set before the first step, which it may hold. */
  async #setBudget(id: string, budget: Budget | undefined): Promise<void> {
    if (budget) await this.#environment.budgets.set({ run: id }, budget, 'declared')
  }
}

/** What a run waits for that could not be resumed because of this error. */
function reasonOf(error: unknown): WaitingReason {
  if (error instanceof WorkflowChangedError) return 'its workflow changed'
  if (error instanceof WorkflowNotBuiltError) return 'its workflow cannot be built'
  return error instanceof AgentNotFoundError ? 'needs its agents' : 'needs an owner'
}
