import { resolve } from 'node:path'
import type { Observable } from 'rxjs'
import { ActorControl } from './actor-control.ts'
import { checkBudget } from './actors/admission/budget-decisions.ts'
import { checkLimits } from './actors/admission/limits.ts'
import type { Agent } from './actors/agent/agent.ts'
import type { Recovery } from './actors/agent/environment.ts'
import type { AgentOptions } from './actors/agent/options.ts'
import type { RunningProcess } from './actors/agent/processes.ts'
import type { AgentInfo } from './actors/agent/system.ts'
import type { AskOptions } from './actors/agent/tasks/tasks.ts'
import { assemble, type Parts } from './assembly.ts'
import { pause } from './clock.ts'
import type { Recorded } from './events/envelope.ts'
import { ClosedError, InvalidInputError } from './events/errors/base.ts'
import type { TaskInput } from './events/task-input.ts'
import type { OrchestratorOptions } from './orchestrator-options.ts'
import { type OwnerSocket, serve } from './owner/serving.ts'
import type { Pattern } from './patterns/pattern.ts'
import type { ResumeOptions, RunDetails, RunInfo, RunOptions } from './patterns/runs/info.ts'
import type { RunPlan } from './patterns/runs/plan.ts'
import type { Run } from './patterns/runs/run.ts'
import type { EventStore } from './store/event-store.ts'
import { levelStore } from './store/level/store.ts'

export type { OrchestratorOptions }

const DEFAULT_BASE_DIR = '.claude-agents'

/**
 * A team of agents and its log: the way in to everything else. One process has a base directory open at a time.
 *
 * @example
 * await using orchestrator = await Orchestrator.open()
 * await orchestrator.createAgent({ id: 'researcher', systemPrompt: 'You are a research specialist.' })
 * const text = await orchestrator.sendTask('researcher', 'What is known about coral bleaching?')
 */
export class Orchestrator extends ActorControl implements AsyncDisposable {
  readonly baseDir: string
  readonly store: EventStore
  readonly #parts: Parts
  #socket: OwnerSocket | undefined
  #closing: Promise<void> | undefined

  private constructor(options: OrchestratorOptions, baseDir: string, store: EventStore) {
    super()
    this.baseDir = baseDir
    this.store = store
    this.#parts = assemble(options, baseDir, store)
  }

  /**
   * Opens the log, or makes one, and goes on with what an earlier process had left.
   * Throws StoreInUse, UnsupportedFormat, StoreDamaged, CorruptRecord, TailLoss.
   */
  static async open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
    const { baseDir = DEFAULT_BASE_DIR, maxAgents, resume = 'at-once', clock, logger } = options
    if (maxAgents !== undefined && !(Number.isSafeInteger(maxAgents) && maxAgents > 0)) {
      throw new InvalidInputError({
        what: 'maxAgents',
        problem: `${maxAgents} is not a whole number of at least 1`,
      })
    }
    checkLimits(options.limits ?? {})
    checkBudget('budget', options.budget ?? {})
    checkBudget('callMinimum', options.callMinimum ?? {})
    const path = resolve(baseDir)
    const store =
      options.store ??
      (await levelStore(path, { ...(clock ? { clock } : {}), ...(logger ? { logger } : {}) }))
    const orchestrator = new Orchestrator(options, path, store)
    try {
      if (options.serve !== false && !options.store)
        orchestrator.#socket = await serve(orchestrator, path, store, logger)
      if (options.budget) await orchestrator.#parts.budgets.set({}, options.budget, 'declared')
      await orchestrator.#parts.agents.declare(options.agents ?? [])
      if (resume === 'at-once') {
        await orchestrator.#parts.agents.resume()
        await orchestrator.#parts.own.resume()
      }
    } catch (error) {
      await orchestrator.close()
      throw error
    }
    return orchestrator
  }

  /** Creates an agent. Throws InvalidIdError, InvalidInputError, AgentExistsError, TooManyAgentsError. */
  async createAgent(options: AgentOptions): Promise<Agent> {
    return this.alive.agents.create(options)
  }

  /** Makes an agent, or makes it what is said of it. A change is a fact, and counts from the next call on. */
  async declareAgent(options: AgentOptions): Promise<Agent> {
    await this.alive.agents.declare([options])
    return this.agent(options.id)
  }

  /** Throws AgentNotFoundError, with the name that was probably meant. */
  async agent(id: string): Promise<Agent> {
    return this.alive.agents.get(id)
  }

  /**
   * Resolves when everything is done that other processes have asked this one for, or the signal aborts. `onWait` is
   * called where that may take long.
   */
  async served(signal: AbortSignal, onWait?: () => void): Promise<void> {
    await this.#socket?.drained(signal, onWait)
  }

  /** All agents, by name. Costs the same however much they have done. */
  async agents(): Promise<readonly AgentInfo[]> {
    return this.#open.agents.list()
  }

  /** The processes of calls that run now, oldest first: those that the log knows, and those that it does not. */
  async processes(): Promise<readonly RunningProcess[]> {
    return this.#open.agents.processes()
  }

  /** Asks and waits for the text of the reply. `agent(id)` and `ask` give more than the text. */
  async sendTask(id: string, task: string | TaskInput, options?: AskOptions): Promise<string> {
    const agent = await this.agent(id)
    return (await agent.ask(task, options)).text
  }

  /** Cancels what the agent has to do, ends its processes, deletes its directories. Its history stays in the log. */
  async removeAgent(id: string): Promise<void> {
    return this.#open.agents.remove(id)
  }

  /** Removes all agents. */
  async cleanupAll(): Promise<void> {
    for (const { id } of await this.agents()) await this.removeAgent(id)
  }

  /**
   * What has been written after a position (default 0: everything), and then what is written, as it is written. Ends
   * when nobody listens any more, or when the orchestrator is closed and all has been seen. Also an async iterable.
   */
  events({ after = 0 }: { after?: number } = {}): Observable<Recorded> & AsyncIterable<Recorded> {
    return this.#open.feed.events(after)
  }

  /**
   * Runs a workflow. One id is one run: asked for again it is the same one, and after a crash it goes on where it was.
   *
   * @example
   * const result = await orchestrator.run(sequential(['researcher', 'writer']), 'tidal energy', { id: 'report-7' })
   */
  run(pattern: Pattern, input: string | TaskInput, options: RunOptions = {}): Run {
    const { runs, intake } = this.alive
    if (!intake.isOpen) throw new ClosedError({ what: 'orchestrator' })
    return runs.start(pattern, input, options)
  }

  /** Goes on with a run that was paused, failed, or left by a crash: what was answered is not asked again. */
  resume(runId: string, pattern: Pattern, options: ResumeOptions = {}): Run {
    return this.alive.runs.resume(runId, pattern, options)
  }

  /**
   * What resuming a run with this pattern would take from the log, and what it would ask again. Makes no call and writes
   * nothing. Throws what resuming it would.
   */
  async plan(runId: string, pattern: Pattern): Promise<RunPlan> {
    return this.#open.runs.plan(runId, pattern)
  }

  /** All runs. */
  async runs(): Promise<readonly RunInfo[]> {
    return this.#open.runs.list()
  }

  /** A run and the steps that it took. Throws RunNotFoundError. */
  async showRun(runId: string): Promise<RunDetails> {
    return this.#open.runs.show(runId)
  }

  /** Ends a run for good. Throws RunNotFoundError, RunFinishedError. */
  async cancelRun(runId: string, reason?: string): Promise<void> {
    return this.#open.runs.cancel(runId, reason)
  }

  /** Goes on with everything that an earlier process had left, and resolves with what became of it when all is done. */
  async recover(): Promise<readonly Recovery[]> {
    const { agents, budgets, recoveries } = this.alive
    const resumed = await agents.resume()
    do {
      await Promise.all(resumed.map((agent) => agent.settled()))
      await budgets.settled()
      // What one has not spent may let another go on.
    } while (resumed.some(({ isAtRest }) => !isAtRest))
    return [...recoveries]
  }

  /**
   * Takes nothing new any more, and lets what was taken come to its end: tasks, and runs with all their steps. Resolves
   * with whether that is done; after `withinMs` (30 s unless told) the rest is left for the next opening.
   */
  async drain({ withinMs = 30_000 }: { readonly withinMs?: number } = {}): Promise<boolean> {
    const { agents, runs, clock, intake } = this.#open
    intake.isOpen = false
    const timeUp = new AbortController()
    const settled = runs.settled().then(() => agents.settled())
    const isDone = await Promise.race([
      settled.then(() => true),
      pause(clock, withinMs, timeUp.signal).then(() => false),
    ])
    timeUp.abort()
    return isDone
  }

  /**
   * Stops taking tasks, ends the processes and closes the log. A task that is running, and those that wait, are gone on
   * with by the next opening; their askers get a ClosedError here.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { supervisors, own, runs, agents, budgets, feed } = this.#parts
    await supervisors.close()
    await own.close()
    await runs.close()
    await agents.close()
    await budgets.close()
    await feed.close()
    await this.#socket?.close()
    await this.store[Symbol.asyncDispose]()
  }

  /** The same, as long as no supervision tree has given up. Throws SupervisionFailedError. */
  protected override get alive(): Parts {
    this.#open.downfall.assertNone()
    return this.#parts
  }

  protected override get parts(): Parts {
    return this.#open
  }

  /** What it is made of, as long as it is open. Throws ClosedError. */
  get #open(): Parts {
    if (this.#closing) throw new ClosedError({ what: 'orchestrator' })
    return this.#parts
  }
}
