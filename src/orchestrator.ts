/** The facade: a team of agents, the log that they live in, and what can be done with both. */
import { randomUUID } from 'node:crypto'
import { concatAll, defer, type Observable } from 'rxjs'
import { type AccountInfo, Accounts } from './actors/admission/accounts.ts'
import { type Admission, localAdmission } from './actors/admission/admission.ts'
import { type BudgetInfo, type BudgetScope, placeOf } from './actors/admission/budget-scope.ts'
import { Budgets } from './actors/admission/budgets.ts'
import { Governor, governorLimits } from './actors/admission/governor.ts'
import type { AgentEnvironment, Recovery } from './actors/agent/environment.ts'
import type { AgentInfo } from './actors/agent/list.ts'
import type { agentMachine } from './actors/agent/machine.ts'
import type { SendOptions, SentMessage } from './actors/agent/mailbox/mailbox.ts'
import type { Publication, ReadMessage } from './actors/agent/mailbox/unread.ts'
import { StoredCopies } from './actors/agent/moving/copies.ts'
import { Moving } from './actors/agent/moving/moving.ts'
import { localPlacement } from './actors/agent/moving/placement.ts'
import type { RunningProcess } from './actors/agent/processes.ts'
import type { AgentRef } from './actors/agent/ref.ts'
import type { AdoptOptions } from './actors/agent/session/adopted.ts'
import type { ForkOptions } from './actors/agent/session/fork.ts'
import { AgentSystem, type RemovalOptions, type RemovedAgent, removeEach } from './actors/agent/system.ts'
import type { AskOptions } from './actors/agent/tasks/ask.ts'
import type { HeldTask, Rejection, Verdict } from './actors/agent/tasks/held.ts'
import { checkOfAgent, HeldTasks, type OfAgent } from './actors/agent/tasks/held-tasks.ts'
import { type LateAnswer, lateAnswersIn } from './actors/agent/tasks/late-answers.ts'
import type { StateAt, When } from './actors/engine/fold-at.ts'
import type { AnyReplayStep, ReplayStep } from './actors/engine/history.ts'
import { mayPass } from './actors/engine/wish.ts'
import { OwnActors } from './actors/own/actors.ts'
import type { ActorRef, AnyStateMachine, OwnKind, SnapshotFrom } from './actors/own/definition.ts'
import type { OwnEnvironment } from './actors/own/ref.ts'
import { Downfall, type FatalError } from './actors/supervision/downfall.ts'
import type { supervisorMachine } from './actors/supervision/machine.ts'
import type { SupervisorSpecification } from './actors/supervision/specification.ts'
import type { Supervisor } from './actors/supervision/supervisor.ts'
import { Supervisors } from './actors/supervision/supervisors.ts'
import { claudeCli, processLimits } from './claude/claude-cli.ts'
import { type Clock, inTime, systemClock } from './clock.ts'
import type { WorkerDuties } from './cluster/duties.ts'
import type { ClusterOptions } from './cluster/options.ts'
import type { Recorded } from './events/envelope.ts'
import { StoreLockLost } from './events/errors/store.ts'
import { ClosedError, InvalidInputError } from './events/errors/usage.ts'
import { streamName } from './events/ids.ts'
import { defined, type JsonObject } from './events/json.ts'
import type { AgentOptions } from './events/options/agent.ts'
import { type Budget, CACHE_READ_WEIGHT, CALL_MINIMUM } from './events/options/budget.ts'
import { checkArgument, checkOptionsOf, refuseUnknownKeys } from './events/options/decoding.ts'
import { LIMITS } from './events/options/limits.ts'
import type { NotificationReceiver } from './events/options/notify.ts'
import { checkBounds, ORCHESTRATOR } from './events/options/orchestrator.ts'
import { completed } from './events/options/setting.ts'
import type { TaskInput } from './events/task-input.ts'
import type { CauseLine } from './history/causes.ts'
import { EventFeed } from './history/event-feed.ts'
import { History, type LogRange } from './history/history.ts'
import type { ReplayOptions } from './history/replay-stream.ts'
import type { RecordedFact } from './history/typed-facts.ts'
import type { ReplayReport } from './history/verify-replay.ts'
import type { InboxEntry } from './inbox/entry.ts'
import type { Approval, Inbox, InboxParts } from './inbox/inbox.ts'
import { callableInbox, type InboxStream } from './inbox/stream.ts'
import type { LandingEntry, Landings, LandOptions } from './landing/landings.ts'
import type { LandWork } from './landing/step-landing.ts'
import { hostLogger, type Logger } from './logger.ts'
import type { MessageInfo } from './messages/list.ts'
import type { Message, Messages, PublishOptions } from './messages/messages.ts'
import type { AgentAnswer, AgentRequest } from './messages/requests.ts'
import { type PublishedMessage, publishedIn, topicAddress } from './messages/topics/published.ts'
import type { TopicInfo } from './messages/topics/topics.ts'
import type { Note, NoteInfo, NoteReadOptions, Notes, NoteWriteOptions } from './notes/notes.ts'
import type { Notifier } from './notifications/notifier.ts'
import { OPTIONS, type OrchestratorOptions } from './orchestrator-options.ts'
import { type OwnerSocket, serveOthers } from './owner/serving.ts'
import { type HierarchicalOptions, hierarchical } from './patterns/hierarchical.ts'
import { type ParallelOptions, parallel } from './patterns/parallel.ts'
import type { Pattern, Step } from './patterns/pattern.ts'
import { pipeline, type Stage } from './patterns/pipeline.ts'
import type { ForkedRun, RunForkOptions } from './patterns/runs/fork.ts'
import type { runMachine } from './patterns/runs/machine.ts'
import type {
  BuildWorkflow,
  ResumeOptions,
  RunDetails,
  RunInfo,
  RunListOptions,
  RunOptions,
  Workflow,
} from './patterns/runs/options.ts'
import type { RunPlan } from './patterns/runs/plan.ts'
import type { RunDiff, RunDiffOptions } from './patterns/runs/reading/files.ts'
import type { Run } from './patterns/runs/run.ts'
import { Runs } from './patterns/runs/runs.ts'
import type { WorkflowResult } from './patterns/runs/workflow-result.ts'
import { type SequentialOptions, sequential } from './patterns/sequential.ts'
import type { FiredSchedule, ScheduleInfo, ScheduleOptions, Schedules } from './schedules/schedules.ts'
import { absolutePath, makeDirectory } from './store/directory.ts'
import type { EventStore } from './store/event-store.ts'
import { atStore } from './store/level/directory.ts'
import { liveOwner, lockStore, type StoreLock } from './store/level/lock.ts'
import { levelStore } from './store/level/store.ts'
import type { TeamDesk } from './team/desk.ts'
import type { WorkflowReference } from './workflows/pattern.ts'
import { agentDirectories } from './workspaces/directories.ts'
import { inputLimits } from './workspaces/inputs/limits.ts'
import { placeFinder } from './workspaces/place.ts'

/**
 * A team of agents and its log: the way in to everything else. One process at a time has a base directory open.
 *
 * @example
 * await using orchestrator = await Orchestrator.open()
 * await orchestrator.createAgent({ id: 'researcher', systemPrompt: 'You are a research specialist.' })
 * const text = await orchestrator.sendTask('researcher', 'What is known about coral bleaching?')
 */
export class Orchestrator implements AsyncDisposable {
  readonly baseDir: string
  readonly store: EventStore
  /** Resolves when it is closed, also if that failed. */
  readonly closed: Promise<void>

  readonly #clock: Clock
  readonly #logger: Logger
  readonly #agents: AgentSystem
  readonly #copies: StoredCopies
  readonly #budgets: Budgets
  readonly #accounts: Accounts
  readonly #admission: Admission
  readonly #heldTasks: HeldTasks
  readonly #runs: Runs
  readonly #supervisors: Supervisors
  readonly #ownActors: OwnActors
  readonly #downfall: Downfall
  readonly #history: History
  readonly #feed: EventFeed
  /** Loaded when it is looked at. */
  readonly #loadInbox: () => Promise<Inbox>
  /** Loaded when a message is sent. */
  readonly #openMessages: () => Promise<Messages>
  #messages: Promise<Messages> | undefined
  /** Loaded when a note is used. */
  readonly #loadNotes: () => Promise<Notes>
  /** Loaded when work is landed, or was. */
  readonly #openLandings: () => Promise<Landings>
  #landings: Promise<Landings> | undefined
  /** Loaded when an agent that works with its team makes a call. */
  readonly #openDesk: () => Promise<TeamDesk>
  #desk: TeamDesk | undefined
  /** Loaded when there is a schedule. */
  readonly #openSchedules: () => Promise<Schedules>
  #schedules: Promise<Schedules> | undefined
  /** Lets other processes of this user work through this one. */
  #socket: OwnerSocket | undefined
  #notifier: Notifier | undefined
  /** Whether new tasks and runs are accepted. */
  readonly #intake = { isOpen: true }
  /** What became of the tasks that an earlier process left behind; grows as they are settled. */
  readonly #recoveries: Recovery[] = []
  #closing: Promise<void> | undefined
  #isClosed = () => {}
  /** That of the base directory, where the log is elsewhere. */
  #lock: StoreLock | undefined
  /** What answers the calls, in a word. */
  readonly #runner: string
  /** Ends what other processes do for an actor; undefined if no other one writes to the log. */
  readonly #claim: ((stream: string) => Promise<void>) | undefined
  /** Writes the declared agents and budget, once. */
  #declare: () => Promise<void> = async () => {}

  private constructor(options: OrchestratorOptions, baseDir: string, store: EventStore) {
    const { clock = systemClock, callMinimum = {} } = options
    const logger = hostLogger(options.logger)
    this.baseDir = baseDir
    this.store = store
    this.closed = new Promise((resolve) => {
      this.#isClosed = resolve
    })
    this.#clock = clock
    this.#logger = logger
    const { cacheReadWeight = CACHE_READ_WEIGHT.fallback } = options
    const minimum = completed(CALL_MINIMUM, callMinimum)
    const surroundings = Orchestrator.#surroundings(options, baseDir)
    const { runner } = surroundings
    const governor = new Governor(governorLimits(options.limits ?? {}, runner), { clock, logger })
    const { isShared } = surroundings
    const budgets = new Budgets({ store, clock, logger, isShared }, minimum, cacheReadWeight)
    const accounts = new Accounts({ store, clock, logger, isShared }, governor)
    const admission = localAdmission({ runner, accounts, budgets, governor, clock, logger })
    this.#budgets = budgets
    this.#accounts = accounts
    this.#admission = admission
    const copies = new StoredCopies({ ...surroundings, blobs: store.blobs })
    this.#copies = copies
    const environment: Omit<AgentEnvironment, 'owns' | 'swept' | 'isSwept'> & OwnEnvironment = {
      ...surroundings,
      store,
      copies,
      moving:
        store.forReading || (options.placement && !options.residency)
          ? undefined
          : new Moving({ ...surroundings, residency: options.residency, blobs: store.blobs }),
      admission,
      team: async (call) => (await this.#openDesk()).admit(call),
      intake: this.#intake,
      deliver: async (to, message) => (await this.#loadMessages()).deliver(to, message),
      outbox: async () => (await this.#loadMessages()).outbox,
      spentLate: async ({ taskId, runId }, callId, cost) => {
        try {
          if (runId !== undefined) await this.#runs.recordLateCost(runId, taskId, callId, cost)
        } catch (error) {
          // A full disk: its ending is recorded again, with its cost.
          if (mayPass(error)) throw error
          logger.warn({ runId, taskId, error }, 'the cost of a call could not be added to its run')
        }
      },
      recovered: (recovery) => {
        logger.info({ ...recovery }, 'a task of an earlier process was settled')
        this.#recoveries.push(recovery)
      },
    }
    this.#runner = environment.runner.name ?? 'custom'
    const residence = {
      most: options.limits?.agentsInMemory ?? LIMITS.agentsInMemory.fallback,
      quietMs: options.limits?.quietMs ?? LIMITS.quietMs.fallback,
    }
    const { maxAgents = ORCHESTRATOR.maxAgents.fallback, agentDefaults = {} } = options
    const { placement = localPlacement } = options
    this.#agents = new AgentSystem(environment, maxAgents, agentDefaults, residence, placement)
    this.#heldTasks = new HeldTasks(this.#agents)
    const { workflows: offered = {} } = options
    const land: LandWork = async (...work) =>
      (await import('./landing/step-landing.ts')).landStep(await this.#working.#landing(), ...work)
    const assertLands = () => this.#assertAlone('Landing', 'Let the agent push its branch.')
    const runs = { ...environment, budgets, offered, build, land, assertLands }
    this.#runs = new Runs({ ...runs, placement: options.placement?.runs }, this.#agents)
    this.#claim = options.placement?.claim
    this.#ownActors = new OwnActors(environment, options.actors ?? [], residence)
    this.#downfall = new Downfall(logger, options.onFailure)
    this.#supervisors = new Supervisors({
      ...{ store, clock, logger, isShared, random: environment.random },
      startAgent: async (agent, supervisor) => (await this.#agents.folded(agent)).runUnder(supervisor),
      failed: (error, ended) => void this.#giveUp(error, ended),
    })
    this.#openMessages = async () => {
      const { Messages } = await import('./messages/messages.ts')
      return new Messages({
        ...environment,
        agent: (id) => this.#agents.get(id),
        actor: (stream) => this.#ownActors.receiver(stream),
        room: () => admission.room,
        spent: ({ taskId, runId }, cost) => this.#runs.recordLateCost(runId, taskId, `ask/${taskId}`, cost),
      })
    }
    this.#loadNotes = onceDone(async () => {
      const { Notes } = await import('./notes/notes.ts')
      return new Notes({
        ...environment,
        causeOf: async (writer) => (await this.#agents.get(writer)).snapshot.context.current?.cause ?? null,
        read: async (agent, reading) => (await this.#agents.get(agent)).mailbox.readNote(reading),
      })
    })
    this.#openLandings = async () => {
      const { Landings } = await import('./landing/landings.ts')
      const { landingOperations } = await import('./workspaces/files/landing.ts')
      return new Landings({
        ...environment,
        operations: landingOperations(baseDir, clock),
        agent: (id) => this.#agents.folded(id),
        agentsOf: async (run) => {
          const { taken } = await this.#runs.recorded.show(run)
          return [...new Set(taken.map(({ worker }) => worker))]
        },
      })
    }
    this.#openDesk = onceDone(async () => {
      const { TeamDesk } = await import('./team/desk.ts')
      const { messages, notes } = this
      const system = {
        ...{ messages, notes },
        agents: () => this.agents(),
        agent: (id: string) => this.agent(id),
        actors: () => this.#ownActors.receivers(),
      }
      this.#desk = new TeamDesk({ ...environment, system })
      return this.#desk
    })
    this.#openSchedules = async () => {
      const { Schedules } = await import('./schedules/schedules.ts')
      return new Schedules({
        ...environment,
        drives: options.resume !== 'on-demand',
        isTaking: () => this.#intake.isOpen,
        checkAgent: (id) => this.#agents.get(id),
        checkWorkflow: async (workflow) => {
          const reference = await this.#runs.workflows.sealed(byName(workflow))
          if (reference.kind === 'program')
            this.#assertAlone('A workflow that this program offers', 'Give it as data, such as a module.')
          return reference
        },
        ask: async (agent, prompt, { id: taskId, causationId }) =>
          (await this.#agents.get(agent)).accept(prompt, {
            taskId,
            origin: { correlationId: taskId, causationId },
          }),
        run: async (workflow, input, { id, causationId }) => {
          // Begun before: it is resumed as any other run is.
          if ((await store.head(streamName('run', id))) > 0) return
          const run = this.#runs.start(workflow, input, { id, causationId })
          run.catch(() => {})
          await run.begun
        },
      })
    }
    this.#history = new History(store, this.#ownActors)
    this.#feed = new EventFeed(store)
    this.#loadInbox = onceDone(async () => {
      const { Inbox } = await import('./inbox/inbox.ts')
      const { landings, schedules } = this
      const runs: InboxParts['runs'] = {
        list: (which) => this.#runs.recorded.list(which),
        cancel: (...run) => this.#runs.cancel(...run),
      }
      const parts = { store, agents: this.#agents, runs, admission, accounts }
      return new Inbox({ ...parts, held: this.#heldTasks, landings, schedules })
    })
  }

  /** What all actors share that does not belong to one orchestrator's state: time, chance, the runner, and the directories. */
  static #surroundings(options: OrchestratorOptions, baseDir: string) {
    const { clock = systemClock, limits = {} } = options
    const logger = hostLogger(options.logger)
    const { sessionPersistence = ORCHESTRATOR.sessionPersistence.fallback } = options
    const { replaceInputs = ORCHESTRATOR.replaceInputs.fallback } = options
    const runner = options.runner ?? claudeCli({ clock, logger, ...processLimits(limits) })
    return {
      baseDir,
      place: placeFinder(baseDir),
      clock,
      logger,
      isShared: options.placement !== undefined,
      ...(options.inspect ? { inspect: options.inspect } : {}),
      runner,
      mailbox: limits.mailbox ?? LIMITS.mailbox.fallback,
      random: options.random ?? Math.random,
      newId: options.newId ?? randomUUID,
      session: sessionPersistence ? ('chain' as const) : ('fresh' as const),
      replaceInputs,
      inputLimits: inputLimits(limits),
      // A repository has one writer: where workers share a base directory, each agent has its own.
      directories: (agent: string) =>
        agentDirectories(baseDir, agent, { ownSnapshots: options.residency?.sharedDir ?? false }),
    }
  }

  /**
   * This orchestrator, provided that it is open. Throws ClosedError. Every method of the facade reaches the parts through
   * this guard, or through `#working` if it would begin something: nothing begins once a supervision tree gave up or the
   * store's lock was lost.
   */
  get #open(): this {
    if (this.#closing) throw new ClosedError({ what: 'orchestrator' })
    return this
  }

  /** This orchestrator, provided that it is open and works. Throws SupervisionFailedError, StoreLockLost, ClosedError. */
  get #working(): this {
    this.#open.#downfall.assertNone()
    return this
  }

  /**
   * Opens the log, or creates one, and resumes what an earlier process left unfinished.
   * Throws StoreInUse, UnsupportedFormat, StoreDamaged, CorruptRecord, TailLoss.
   */
  static async open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
    checkOptions(options)
    const { resume = options.cluster ? 'on-demand' : 'at-once', notify, clock } = options
    if (notify !== undefined) (await import('./events/options/notify.ts')).checkReceivers(notify)
    const logger = hostLogger(options.logger)
    const baseDir = absolutePath(options.baseDir ?? ORCHESTRATOR.baseDir.fallback)
    const lost = new AbortController()
    const onLost = (error: StoreLockLost) => lost.abort(error)
    const cluster = options.cluster && (await joined(options.cluster, logger))
    const store =
      options.store ?? cluster?.store ?? (await levelStore(baseDir, defined({ clock, logger, onLost })))
    const orchestrator = new Orchestrator({ ...options, ...cluster }, baseDir, store)
    if (options.store && !options.residency?.sharedDir) await orchestrator.#lockDirectory(options.runner)
    const loss = store.lost ?? lost.signal
    loss.addEventListener('abort', () => {
      orchestrator.#giveUp(loss.reason as StoreLockLost).catch(ignoreLostStore)
    })
    orchestrator.#declare = onceDone(async () => {
      if (options.budget) await orchestrator.#budgets.set({}, options.budget, 'declared')
      await orchestrator.#agents.declare(options.agents ?? [])
    })
    try {
      if (notify && notify.length > 0) await orchestrator.#notify(notify)
      if (options.serve !== false && !options.store && !cluster)
        orchestrator.#socket = await serveOthers({
          ...{ baseDir, store, logger, system: orchestrator },
          prepare: orchestrator.#declare,
          isStopping: () => !orchestrator.#intake.isOpen,
          isClosing: () => orchestrator.#closing !== undefined,
          isActive: (runId) => orchestrator.#runs.isActive(runId),
          runner: orchestrator.#runner,
          ...defined({ stop: options.onStop }),
        })
      await orchestrator.#accounts.open()
      if (options.declare !== 'on-demand') await orchestrator.#declare()
      if (resume === 'at-once') {
        // What cannot be read now is read before the first call.
        await orchestrator.#admission.prepare().catch(() => {})
        await orchestrator.#agents.resume()
        await orchestrator.#ownActors.resume()
        await orchestrator.#resumeLandings()
        await orchestrator.#resumeTopics()
        if (await orchestrator.#hasOpen('schedule/')) await (await orchestrator.#schedule()).start()
        await orchestrator.#runs.drive()
      }
    } catch (error) {
      await orchestrator.close()
      throw error
    }
    return orchestrator
  }

  /**
   * The log is elsewhere, but the processes of calls belong to the base directory: another process that used it would end
   * them. Throws StoreInUse, StoreNotOpened.
   */
  async #lockDirectory(runner: OrchestratorOptions['runner']): Promise<void> {
    if (this.store.forReading || (runner && !runner.sweep)) return
    try {
      await atStore(this.baseDir, async () => {
        await makeDirectory(this.baseDir)
        const owner = await liveOwner(this.baseDir)
        if (owner?.pid !== process.pid) this.#lock = await lockStore(this.baseDir)
      })
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Throws InvalidInputError for what no worker does. */
  #assertAlone(what: string, hint: string): void {
    if (!this.#claim) return
    const problem = 'it works in one process only, and the agents of this log live in workers'
    throw new InvalidInputError({ what, problem, hint })
  }

  #landing(): Promise<Landings> {
    this.#landings ??= this.#openLandings()
    return this.#landings
  }

  async #resumeLandings(): Promise<void> {
    if (await this.#hasOpen('landing/')) await (await this.#landing()).resume()
  }

  #loadMessages(): Promise<Messages> {
    this.#messages ??= this.#openMessages()
    return this.#messages
  }

  #schedule(): Promise<Schedules> {
    this.#schedules ??= this.#openSchedules()
    return this.#schedules
  }

  async #resumeTopics(): Promise<void> {
    if (await this.#hasOpen('topic/')) await (await this.#loadMessages()).topics.resume()
  }

  async #hasOpen(prefix: string): Promise<boolean> {
    for await (const _ of this.store.streams({ prefix, open: true })) return true
    return false
  }

  async #notify(receivers: readonly NotificationReceiver[]): Promise<void> {
    const { Notifier } = await import('./notifications/notifier.ts')
    const { deliverer } = await import('./notifications/receivers.ts')
    const { positionsFile } = await import('./notifications/positions.ts')
    const clock = this.#clock
    this.#notifier = await Notifier.open({
      ...{ receivers, store: this.store, clock, logger: this.#logger },
      facts: (after) => this.#feed.events(after),
      positions: positionsFile(this.baseDir),
      deliver: deliverer({ clock }),
    }).catch((error) => {
      // Work does not depend on it, and what happens meanwhile is told by the next owner that can.
      this.#logger.warn({ error }, 'receivers are not notified until the log is opened again')
      return undefined
    })
  }

  /**
   * The orchestrator of the process that has a base directory open, used from this one: its agents, runs and events, as the
   * commands of `claude-agents` use them. Closing it disconnects, and stops nothing. What only that process can do throws
   * OwnerOnly. Throws OwnerNotFound, OwnerBusy, OwnerUnavailable.
   *
   * @param baseDir Default: `.claude-agents` in the working directory.
   * @example
   * await using team = await Orchestrator.connect('.claude-agents')
   * const text = await team.sendTask('researcher', 'What is known about coral bleaching?')
   */
  static async connect(baseDir: string = ORCHESTRATOR.baseDir.fallback): Promise<Orchestrator> {
    const { connectedOrchestrator } = await import('./remote/orchestrator.ts')
    return connectedOrchestrator(Orchestrator, baseDir)
  }

  /** Resumes everything that an earlier process left unfinished; resolves with the outcomes when all of it has ended. */
  async recover(): Promise<readonly Recovery[]> {
    if (await this.#working.#hasOpen('schedule/')) await (await this.#schedule()).settled()
    const resumed = await this.#working.#agents.resume()
    await this.#resumeLandings()
    await this.#resumeTopics()
    do {
      await (await this.#landings)?.settledAll()
      await Promise.all(resumed.map((agent) => agent.settled()))
      await this.#budgets.settled()
      // What one agent has not spent may let another continue.
    } while (resumed.some(({ isAtRest }) => !isAtRest))
    return [...this.#recoveries]
  }

  /**
   * Accepts nothing new and lets accepted work end: tasks, and runs with all their steps, but not what is held. Resolves with
   * whether all of it ended within `withinMs` (default 30 s) and before `close`; what did not is left for the next opening.
   */
  async drain(options: { readonly withinMs?: number } = {}): Promise<boolean> {
    checkOptionsOf('drain', options, { withinMs: 'a number of ms, 0 or more' })
    const { withinMs = 30_000 } = options
    this.#open.#intake.isOpen = false
    try {
      return await inTime(this.#clock, this.#settled(), withinMs, false)
    } catch (error) {
      if (error instanceof ClosedError) return false
      throw error
    }
  }

  /** Resolves with true when no run and no agent has anything to do. */
  async #settled(): Promise<true> {
    do {
      await this.#runs.settled()
      await this.#agents.settled()
      // A held run may have been released meanwhile.
    } while (!this.#runs.areSettled)
    return true
  }

  /**
   * Resolves when everything that other processes asked of this one and wait for has ended, or when the signal aborts:
   * with whether something that they asked for and left (`--detach`) has not. `onWait` is called if that may take a while.
   */
  async served(signal: AbortSignal, onWait?: () => void): Promise<boolean> {
    return (await this.#socket?.drained(signal, onWait)) ?? false
  }

  /**
   * Accepts no more tasks, ends the processes and closes the log. Running and waiting tasks are resumed by the next opening;
   * their callers get a ClosedError here.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close().finally(this.#isClosed)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What works on top of something ends before it; the log is last. */
  async #close(): Promise<void> {
    const money = [this.#budgets, this.#accounts]
    const parts = [this.#supervisors, this.#ownActors, this.#runs, this.#agents, ...money, this.#feed]
    const problems: unknown[] = []
    const attempt = async (closing: Promise<void> | undefined) => {
      // What the parts would like to write is refused.
      await closing?.catch((error) => error instanceof StoreLockLost || problems.push(error))
    }
    // They ask agents, so they end before these do.
    for (const part of [await this.#schedules, await this.#landings, await this.#messages, ...parts])
      if (part) await attempt(this.#closed(part))
    await attempt(this.#desk?.close())
    await attempt(this.#notifier?.close())
    await attempt(this.#socket?.close())
    await attempt(this.#copies[Symbol.asyncDispose]())
    await this.store[Symbol.asyncDispose]()
    await this.#lock?.release()
    if (problems.length > 0) throw problems[0]
  }

  /** Waits until a part is closed. One that waits for code that never ends does not keep the log open. */
  async #closed(part: { close(): Promise<void> }): Promise<void> {
    const closing = part.close()
    // How long its children may take is the rule of each supervisor.
    if (part === this.#supervisors) return closing
    const late = Symbol('late')
    if ((await inTime(this.#clock, closing, CLOSES_WITHIN_MS, late)) !== late) return
    const { name } = part.constructor
    this.#logger.warn({ part: name }, 'closed without waiting for work that does not end')
  }

  /** Nothing works any more: a supervision tree gave up, or the log has another owner. `ended` resolves when the tree has stopped. */
  async #giveUp(error: FatalError, ended: Promise<void> = Promise.resolve()): Promise<void> {
    const stop = async () => {
      await (await this.#schedules)?.close()
      await (await this.#landings)?.close()
      await (await this.#messages)?.close()
      return Promise.allSettled([this.#runs.close(error), this.#agents.refuse(error)])
    }
    await this.#downfall.begin(error, stop)
    await ended
    await this.#supervisors.close()
    await this.#ownActors.close()
  }

  /** Creates an agent. Throws InvalidIdError, InvalidInputError, AgentExistsError, TooManyAgentsError. */
  async createAgent(options: AgentOptions): Promise<AgentRef> {
    return this.#working.#agents.create(options)
  }

  /** Creates an agent, or changes an existing one to match. A change is recorded and applies from the next call on. */
  async declareAgent(options: AgentOptions): Promise<AgentRef> {
    await this.#working.#agents.declare([options])
    return this.agent(options.id)
  }

  /** Resolves when the agents and the budget of the options are in the log, and writes them with `declare: 'on-demand'`. */
  async declared(): Promise<void> {
    await this.#working.#declare()
  }

  /** Throws AgentNotFoundError, with the id that was probably meant. */
  async agent(id: string): Promise<AgentRef> {
    return this.#working.#agents.get(id)
  }

  /** All agents, by id. The cost does not depend on how much they have done. */
  async agents(): Promise<readonly AgentInfo[]> {
    return this.#open.#agents.list()
  }

  /** Asks an agent and waits for the text of its reply. For more than the text, use `agent(id)` and `ask`. */
  async sendTask(id: string, task: string | TaskInput, options?: AskOptions): Promise<string> {
    const agent = await this.agent(id)
    return (await agent.ask(task, options)).text
  }

  /**
   * A new agent that continues a session of Claude Code: one of yours by its id, or the transcript in a file. The transcript
   * is copied, and never changed. Throws InvalidInputError for what is no whole transcript, AgentExistsError.
   *
   * @example
   * const agent = await orchestrator.adopt('f3b1c2d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d', { id: 'reviewer' })
   */
  async adopt(session: string, options?: AdoptOptions): Promise<AgentRef> {
    return this.#working.#agents.adopt(session, options)
  }

  /**
   * A new agent that continues another one's conversation and files as they were at a version. The original stays as it is.
   * Throws AgentNotFoundError, VersionNotFoundError, CannotForkError, AgentExistsError.
   *
   * @example
   * const bolder = await orchestrator.fork('writer', { at: 9, as: 'bolder_writer' })
   */
  async fork(agent: string, options: ForkOptions): Promise<AgentRef> {
    return this.#open.#agents.fork(agent, options)
  }

  /**
   * Cancels an agent's tasks, ends its processes and deletes its directories. Its history stays in the log. Throws
   * HeldTasksError if it has held tasks or messages, and UnlandedWorkError if it has work on a repository that is nowhere
   * else; with `force`, what is held is dropped, and a ref keeps that work.
   */
  async removeAgent(id: string, options?: RemovalOptions): Promise<RemovedAgent> {
    const removed = await this.#open.#agents.remove(id, options)
    this.#supervisors.agentRemoved(id)
    return removed
  }

  /** Ends what this process does for an agent, and records nothing: it lives in another one from now on. */
  async releaseAgent(id: string): Promise<void> {
    await this.#agents.release(id)
  }

  /**
   * Makes the copy of an agent in a pool for a run, unless it is there. false if it was made for another run. Throws
   * AgentNotFoundError, TooManyAgentsError.
   */
  async copyAgent(id: string, number: number, run: string): Promise<boolean> {
    return (await this.#working.#agents.copy(id, number, run)) !== null
  }

  /** Removes all agents but those that hold tasks or work that is not landed: then it throws the first of their errors. */
  async cleanupAll(options?: RemovalOptions): Promise<void> {
    await removeEach(await this.agents(), (id) => this.removeAgent(id, options))
  }

  /** What a worker of a cluster does for the runs, the schedules and the topics that are its own. */
  readonly duties: WorkerDuties = {
    takeRun: async (id) => this.#working.#runs.take(id),
    releaseRun: (id) => this.#runs.release(id),
    runEnded: (id) => this.#runs.ended(id),
    begunBefore: async (...run) => this.#working.#runs.begunBefore(...run),
    isActive: (id) => this.#runs.isActive(id),
    waitingRuns: () => this.#runs.waiting,
    tendSchedules: async (isOurs) => {
      if (this.#schedules ?? (await this.#working.#hasOpen('schedule/')))
        await (await this.#schedule()).tend(isOurs)
    },
    tendTopics: async (isOurs) => {
      if (await this.#working.#hasOpen('topic/')) await (await this.#loadMessages()).topics.tend(isOurs)
    },
  }

  /** The processes of calls that are running, oldest first: those that the log knows, and those that it does not. */
  async processes(): Promise<readonly RunningProcess[]> {
    return this.#open.#agents.processes()
  }

  /** What may be spent and what was spent: by all agents together, by one agent, or by one run. */
  readonly budgets: OrchestratorBudgets = {
    set: async (budget, scope = {}, { by } = {}) => {
      await this.#checkScope(scope)
      return this.#open.#budgets.set(scope, budget, 'by hand', by)
    },
    show: async (scope = {}) => {
      await this.#checkScope(scope)
      return this.#open.#budgets.show(scope)
    },
    list: async () => this.#open.#budgets.list(),
  }

  /** Throws AgentNotFoundError, RunNotFoundError, InvalidInputError: a budget belongs to something that exists. */
  async #checkScope(scope: BudgetScope): Promise<void> {
    placeOf(scope)
    if (scope.agent !== undefined) await this.#open.#agents.get(scope.agent)
    if (scope.run !== undefined) await this.#open.#runs.recorded.assertKnown(scope.run)
  }

  /** The accounts that pay for calls: how far their limits are used, and whether they wait or are held. */
  readonly accounts: OrchestratorAccounts = {
    list: async () => this.#open.#accounts.list(),
    resume: async (options) => this.#open.#accounts.resume(options),
  }

  /** The tasks that wait for an approval, for room in a budget, or for their account. */
  readonly held: OrchestratorHeld = {
    list: async (of) => this.#open.#heldTasks.list(of),
    approve: async (taskId, verdict) => this.#open.#heldTasks.approve(taskId, verdict),
    reject: async (taskId, rejection) => this.#open.#heldTasks.reject(taskId, rejection),
  }

  /** Everything that waits for a person. */
  readonly inbox: OrchestratorInbox = callableInbox(
    {
      list: async () => (await this.#open.#loadInbox()).list(),
      approve: async (id: string, approval?: Approval) =>
        (await this.#working.#loadInbox()).approve(id, approval),
      deny: async (id: string, rejection?: Rejection) =>
        (await this.#working.#loadInbox()).deny(id, rejection),
      answer: async (id: string, text: string, verdict?: Verdict) =>
        (await this.#working.#loadInbox()).answer(id, text, verdict),
    },
    () => this.#open.store,
  )

  /** Messages between agents, actors of your own and topics. */
  readonly messages: OrchestratorMessages = {
    send: async (message) => (await this.#working.#loadMessages()).send(message),
    read: async (agent) => (await this.#working.#loadMessages()).read(agent),
    ask: async (request) => (await this.#working.#loadMessages()).ask(request),
    list: async (address) => (await this.#open.#loadMessages()).list(address),
    publish: async (topic, text, options) =>
      (await this.#working.#loadMessages()).publish(topic, text, options),
    subscribe: async (topic, subscriber, options) =>
      (await this.#working.#loadMessages()).subscribe(topic, subscriber, options),
    unsubscribe: async (topic, subscriber, options) =>
      (await this.#working.#loadMessages()).unsubscribe(topic, subscriber, options),
    topics: async () => (await this.#open.#loadMessages()).topics.list(),
    published: (topic, range = {}) => {
      checkOptionsOf('published', range, { after: true })
      const { after = 0 } = range
      const stream = topicAddress(topic)
      return this.#open.#feed.mapped(after, (fact) =>
        fact.stream === stream ? publishedIn(fact) : undefined,
      )
    },
  }

  /** Notes that agents and people share. */
  readonly notes: OrchestratorNotes = {
    write: async (note, text, options) => (await this.#working.#loadNotes()).write(note, text, options),
    read: async (note, options) => (await this.#open.#loadNotes()).read(note, options),
    list: async () => (await this.#open.#loadNotes()).list(),
    history: async (note) => (await this.#open.#loadNotes()).history(note),
  }

  /** The work of agents on its way to branches of their repositories. */
  readonly landings: OrchestratorLandings = {
    land: async (of, options) => {
      this.#assertAlone('Landing', 'Let the agent push its branch.')
      return (await this.#working.#landing()).land(of, options)
    },
    list: async () => (await this.#open.#landing()).list(),
    changes: () => defer(async () => (await this.#open.#landing()).changes()).pipe(concatAll()),
    settled: async (entry) => (await this.#open.#landing()).settled(entry),
    cancel: async (entry, decision) => {
      this.#assertAlone('Landing', 'Cancel it where one process has the log open.')
      return (await this.#working.#landing()).cancel(entry, decision)
    },
  }

  /** What is asked at set times. */
  readonly schedules: OrchestratorSchedules = {
    add: async (name, options) => (await this.#working.#schedule()).add(name, options),
    list: async () => (await this.#open.#schedule()).list(),
    pause: async (name) => (await this.#working.#schedule()).pause(name),
    resume: async (name) => (await this.#working.#schedule()).resume(name),
    remove: async (name) => (await this.#working.#schedule()).remove(name),
    run: async (name) => (await this.#working.#schedule()).run(name),
  }

  /** Answers that arrived after their task had ended. They were paid for, and no caller received them. */
  async lateAnswers(of: OfAgent = {}): Promise<readonly LateAnswer[]> {
    checkOfAgent(of)
    const { agent } = of
    // One that was removed has its history still.
    if (agent !== undefined && (await this.#open.store.head(streamName('agent', agent))) === 0)
      await this.agent(agent)
    return lateAnswersIn(this.#open.store, agent)
  }

  /**
   * Runs a workflow: a pattern, the name of one of the `workflows` that `open` was given, or a reference to one. One id is
   * one run: asking for it again gives the same run, and after a crash it resumes where it was. The run rejects with
   * InvalidInputError if the workflow cannot be built, and with RunConflictError if the id is that of a run with another input.
   * Throws ClosedError, and InvalidIdError and InvalidInputError for arguments that are wrong.
   *
   * @example
   * const result = await orchestrator.run(sequential(['researcher', 'writer']), 'tidal energy', { id: 'report-7' })
   * await orchestrator.run({ kind: 'template', name: 'research' }, 'tidal energy')
   */
  run(
    workflow: Pattern | string | WorkflowReference,
    input: string | TaskInput,
    options: RunOptions = {},
  ): Run {
    if (!this.#working.#intake.isOpen) throw new ClosedError({ what: 'orchestrator' })
    return this.#runs.start(byName(workflow), input, options)
  }

  /** `run(sequential(agents, options), input)` */
  sequential(agents: readonly Step[], input: string | TaskInput, options?: SequentialOptions): Run {
    return this.run(sequential(agents, options), input, { name: 'sequential' })
  }

  /** `run(parallel(agents, options), input)` */
  parallel(agents: readonly Step[], input: string | TaskInput, options?: ParallelOptions): Run {
    return this.run(parallel(agents, options), input, { name: 'parallel' })
  }

  /** `run(pipeline(stages), input)` */
  pipeline(stages: readonly Stage[], input: string | TaskInput): Run {
    return this.run(pipeline(stages), input, { name: 'pipeline' })
  }

  /** `run(hierarchical(options), input)` */
  hierarchical(options: HierarchicalOptions, input: string | TaskInput): Run {
    return this.run(hierarchical(options), input, { name: 'hierarchical' })
  }

  /** The runs of workflows: what they have done, and how they continue. */
  readonly runs: OrchestratorRuns = {
    list: async (which) => this.#open.#runs.recorded.list(which),
    show: async (runId) => this.#open.#runs.recorded.show(runId),
    diff: async (runId, options) => this.#open.#runs.recorded.diff(runId, options),
    result: async (runId) => this.#open.#runs.result(runId),
    plan: async (runId, workflow) => this.#open.#runs.plan(runId, byName(workflow)),
    resume: (runId, workflow, options) => this.#working.#runs.resume(runId, byName(workflow), options),
    cancel: async (runId, reason, verdict) => this.#open.#runs.cancel(runId, reason, verdict),
    fork: async (runId, options) => this.#open.#runs.fork(runId, options),
  }

  /**
   * Starts a supervision tree and resolves when its children run; after a restart of the program it resumes from the log.
   * Throws InvalidSpecificationError, SupervisorExistsError, ChildStartError.
   *
   * @example
   * await orchestrator.supervise({ id: 'team', strategy: 'one-for-all', children: [{ agent: 'writer' }, { agent: 'critic' }] })
   */
  async supervise(specification: SupervisorSpecification): Promise<Supervisor> {
    this.#assertAlone('Supervising', 'Agents in workers are resumed without a supervisor.')
    return this.#working.#supervisors.supervise(specification)
  }

  /** A running supervisor, at any level of a tree. Throws SupervisorStoppedError. */
  supervisor(id: string): Supervisor {
    return this.#open.#supervisors.get(id)
  }

  /** Resolves with the error when a supervision tree gives up, or the lock of the log is taken away: from then on nothing works but closing. */
  get failed(): Promise<FatalError> {
    return this.#open.#downfall.failed
  }

  /**
   * Starts an actor of your own, with the state that its log has; an actor that already runs is returned. See
   * `defineActor`. Throws InvalidIdError, and CorruptRecord or UnknownFactError if its facts cannot be read.
   */
  async spawn<C, R, M extends AnyStateMachine>(
    kind: OwnKind<C, R, M>,
    id: string,
  ): Promise<ActorRef<C, R, SnapshotFrom<M>>> {
    const actors = this.#working.#ownActors
    // In a cluster it lives where it was spawned last, and is fenced everywhere else.
    await this.#claim?.(streamName(kind.kind, id))
    return actors.spawn(kind, id)
  }

  /** Makes kinds of actors known without starting any, so that their streams can be replayed. */
  registerActors(kinds: readonly OwnKind[]): void {
    this.#open.#ownActors.register(kinds)
  }

  /**
   * Every fact after a position (default 0: from the beginning), and then each new one as it is written. Ends when the
   * subscriber leaves, or when the orchestrator is closed and all facts have been delivered. Also an async iterable.
   *
   * A fact is told by its `type`, or by `ofType`, and has its data typed and upcast. Name the facts of your own actors to
   * have theirs typed: `events<Recorded & { type: 'Counted'; data: { by: number } }>()`; in any case they are among the facts.
   */
  events<Own extends Recorded = never>(
    range: { readonly after?: number } = {},
  ): Observable<RecordedFact | Own> & AsyncIterable<RecordedFact | Own> {
    checkOptionsOf('events', range, { after: true })
    const { after = 0 } = range
    return this.#open.#feed.events(after)
  }

  /** The past: the facts as they were written, and the states that they made. */
  readonly history: OrchestratorHistory = {
    log: (range) => this.#open.#history.log(range),
    // The stream's name says which kind of state each step has.
    replay: ((stream, options) =>
      this.#open.#history.replay(stream, options)) as OrchestratorHistory['replay'],
    stateAt: async (stream, when) => this.#open.#history.stateAt(stream, when),
    verify: async (options) => this.#open.#history.verify(options),
    why: async (position) => this.#open.#history.why(position),
  }
}

/**
 * `orchestrator.budgets`: what may be spent and what was spent.
 *
 * @example
 * await orchestrator.budgets.set({ usd: 5 }, { agent: 'writer' })
 * const { spent, remaining } = await orchestrator.budgets.show({ agent: 'writer' })
 */
export interface OrchestratorBudgets {
  /**
   * Sets the budget of all agents together (the default), of one agent, or of one run. A limit that is left out stays as it
   * is; null removes it. Throws AgentNotFoundError, RunNotFoundError, InvalidInputError.
   */
  set(budget: Budget, scope?: BudgetScope, verdict?: Verdict): Promise<BudgetInfo>
  /** A budget, and what was spent even if no budget is set. Throws AgentNotFoundError, RunNotFoundError. */
  show(scope?: BudgetScope): Promise<BudgetInfo>
  /** The budgets that are set. */
  list(): Promise<readonly BudgetInfo[]>
}

/**
 * `orchestrator.accounts`: the accounts that pay for calls, as the service last described them.
 *
 * @example
 * for (const { account, windows } of await orchestrator.accounts.list())
 *   for (const { name, utilization, resetsAt } of windows) console.log(account, name, utilization, resetsAt)
 */
export interface OrchestratorAccounts {
  /** The accounts of which anything is known, by name. */
  list(): Promise<readonly AccountInfo[]>
  /**
   * Lets calls begin again: of an account that could not pay, once it can, or of one that waits for a limit that has been
   * lifted. Of all accounts, unless one is named; naming it also ends the waits for a limit of one model, which leaves the
   * account open. Returns those that waited or were held.
   */
  resume(options?: { readonly account?: string; readonly by?: string }): Promise<readonly AccountInfo[]>
}

/**
 * `orchestrator.held`: the tasks that wait for an approval, for room in a budget, or for their account.
 *
 * @example
 * for (const { taskId, reason } of await orchestrator.held.list())
 *   if (reason === 'approval') await orchestrator.held.approve(taskId, { by: 'me' })
 */
export interface OrchestratorHeld {
  /** The held tasks of all agents (the default) or of one agent, in the order in which they would start. */
  list(of?: OfAgent): Promise<readonly HeldTask[]>
  /** Lets a task that waits for an approval start. Throws TaskNotHeldError. */
  approve(taskId: string, verdict?: Verdict & OfAgent): Promise<HeldTask>
  /** Ends a held task: its caller gets a TaskRejectedError. Throws TaskNotHeldError. */
  reject(taskId: string, rejection?: Rejection & OfAgent): Promise<HeldTask>
}

/**
 * `orchestrator.inbox`: everything that waits for a person. Awaited, `inbox()` is the list; iterated or subscribed to, it is
 * the list now and whenever it changes.
 *
 * @example
 * for (const { id, question, command } of await orchestrator.inbox()) console.log(question, command)
 * for await (const entries of orchestrator.inbox()) console.log(entries.length)
 */
export interface OrchestratorInbox {
  (): InboxStream
  /** What `await inbox()` is. */
  list(): Promise<readonly InboxEntry[]>
  /**
   * Lets a task begin that needs approval, a tool be used that does (with another `input` if one is given; with `always`, calls
   * that match this rule are not asked about again), or calls of an account that can pay again. Returns the entry as it was.
   * Throws InboxEntryGoneError, which says what became of it, InboxEntryNotFoundError, and InboxDecisionError for what needs
   * more than an approval.
   *
   * @example
   * await orchestrator.inbox.approve(id, { by: 'ada', input: { command: 'npm test' }, always: 'Bash(npm test)' })
   */
  approve(id: string, approval?: Approval): Promise<InboxEntry>
  /**
   * Tells the model that a tool call is denied, or that a question is not answered, and why; rejects a held task, cancels a
   * run, or gives up work that was set aside. Throws what `approve` does.
   */
  deny(id: string, rejection?: Rejection): Promise<InboxEntry>
  /** Answers a question: with one of its choices, if it has some. Throws what `approve` does. */
  answer(id: string, text: string, verdict?: Verdict): Promise<InboxEntry>
}

/**
 * `orchestrator.messages`: what agents tell one another, and what people tell them. A message is durable in the mailbox of its
 * receiver before the sender hears of it, and is read in exactly one answered turn; those of one sender in their order.
 *
 * @example
 * await orchestrator.messages.send({ to: 'writer', text: 'The figures are in figures.csv.', from: 'analyst' })
 * for (const { from, text, status } of await orchestrator.messages.list('writer')) console.log(from, text, status)
 */
export interface OrchestratorMessages {
  /**
   * Sends a message. It is durable in the mailbox of the receiver when this resolves. Throws UndeliverableError if nothing
   * receives it, TooManyMessagesError if the mailbox is full, MessageChainError if agents have written to each other for too
   * long, MessageConflictError, AgentNotFoundError (for `from`), InvalidInputError.
   */
  send(message: Message): Promise<SentMessage>
  /**
   * Takes what is unread into the call that an agent makes now: for a tool by which it reads its mailbox. Throws
   * AgentNotFoundError, and InvalidInputError if no call runs.
   */
  read(agent: string): Promise<readonly ReadMessage[]>
  /**
   * Asks another agent for an agent, and waits for the answer: a task of the other one, whose cost belongs to the run of the
   * task that asks, and which is cancelled if that ends before. Throws AskCycleError for one that would wait for itself,
   * AskDepthError, UndeliverableError, MailboxFullError, AgentNotFoundError (for `from`), and what ends the task otherwise.
   *
   * @example
   * const { text } = await orchestrator.messages.ask({ from: 'writer', to: 'critic', text: 'Is the title good?' })
   */
  ask(request: AgentRequest): Promise<AgentAnswer>
  /**
   * What an agent has received and sent, or what was published on a topic (`topic/NAME`); oldest first. Throws
   * AgentNotFoundError, and InvalidInputError for an actor of your own.
   */
  list(address: string): Promise<readonly MessageInfo[]>
  /**
   * Publishes a message on a topic. It is durable, and in the mailbox of each subscriber that can receive it, when this resolves;
   * `undelivered` has the others, and why. One that publishes receives nothing of its own. Throws TopicFullError,
   * MessageChainError, MessageConflictError, AgentNotFoundError (for `from`), InvalidInputError.
   *
   * @example
   * await orchestrator.messages.subscribe('news', 'writer')
   * const { delivered, undelivered } = await orchestrator.messages.publish('news', 'The figures have changed.')
   */
  publish(topic: string, text: string, options?: PublishOptions): Promise<SentMessage & Publication>
  /**
   * Lets an agent, or an actor of your own (`KIND/ID`), receive what is published on a topic from now on. Throws
   * AgentNotFoundError, UndeliverableError, InvalidInputError.
   */
  subscribe(topic: string, subscriber: string, options?: Pick<SendOptions, 'by'>): Promise<TopicInfo>
  /** Ends that; one that is not subscribed stays so. */
  unsubscribe(topic: string, subscriber: string, options?: Pick<SendOptions, 'by'>): Promise<TopicInfo>
  /** All topics, by name. */
  topics(): Promise<readonly TopicInfo[]>
  /**
   * What is published on a topic: everything after a position of the log (default 0: from the beginning), and then each new
   * message, for a program that listens. Ends as `events` does. Also an async iterable.
   *
   * @example
   * for await (const { from, text, position } of orchestrator.messages.published('news')) console.log(from, text, position)
   */
  published(
    topic: string,
    range?: { readonly after?: number },
  ): Observable<PublishedMessage> & AsyncIterable<PublishedMessage>
}

/**
 * `orchestrator.notes`: texts that agents and people share, each with its history.
 *
 * @example
 * const { version } = await orchestrator.notes.write('plan', 'First the figures.', { expectedVersion: 0 })
 * await orchestrator.notes.write('plan', 'First the figures, then the text.', { expectedVersion: version })
 */
export interface OrchestratorNotes {
  /**
   * Writes a note as a whole, at most 64 KiB, and returns it. Throws NoteConflictError if it is at another version than
   * `expectedVersion`, AgentNotFoundError (for `from`), InvalidIdError, InvalidInputError.
   */
  write(note: string, text: string, options?: NoteWriteOptions): Promise<Note>
  /** The newest version, or another one. Throws NoteNotFoundError. */
  read(note: string, options?: NoteReadOptions): Promise<Note>
  /** All notes, by name. */
  list(): Promise<readonly NoteInfo[]>
  /** The versions of a note, oldest first. Throws NoteNotFoundError. */
  history(note: string): Promise<readonly Note[]>
}

/**
 * `orchestrator.landings`: the work of agents, merged into a branch of their repository one after the other. Each merge is
 * checked by the gate before the branch moves.
 *
 * @example
 * const entries = await orchestrator.landings.land(['tests', 'docs'], { gate: 'npm test' })
 * for (const { entry } of entries) {
 *   const { status, reason } = await orchestrator.landings.settled(entry)
 *   console.log(entry, status, reason)
 * }
 */
export interface OrchestratorLandings {
  /**
   * Queues the work of agents, or of all agents of a run, as it is now. The entries are durable when this resolves. Throws
   * AgentNotFoundError, InvalidInputError.
   */
  land(of: readonly string[], options?: LandOptions): Promise<readonly LandingEntry[]>
  /** What is queued, and what has ended lately. */
  list(): Promise<readonly LandingEntry[]>
  /** Each entry as it is, and then whenever it changes: nothing comes between. */
  changes(): Observable<LandingEntry>
  /** An entry once it has landed, was set aside or was cancelled. Throws LandingNotFoundError. */
  settled(entry: string): Promise<LandingEntry>
  /**
   * Takes an entry out of its queue, or gives up one that was set aside. Others that have ended stay as they are. Throws
   * LandingNotFoundError.
   *
   * @param decision Who decides that, and why: the log has it.
   */
  cancel(entry: string, decision?: Rejection): Promise<LandingEntry>
}

/**
 * `orchestrator.schedules`: what is asked at set times, in the process that has the log open. A firing begins one task or
 * run, however often that process is replaced.
 *
 * @example
 * const cron = '30 8 * * mon-fri'
 * await orchestrator.schedules.add('news', { cron, timezone: 'Europe/Berlin', agent: 'reporter', prompt: 'What is new?' })
 * for (const { name, nextAt } of await orchestrator.schedules.list()) console.log(name, nextAt)
 */
export interface OrchestratorSchedules {
  /**
   * Adds a schedule; it is durable when this resolves. Throws ScheduleExistsError, InvalidIdError, InvalidInputError,
   * AgentNotFoundError.
   */
  add(name: string, options: ScheduleOptions): Promise<ScheduleInfo>
  /** All schedules, by name. */
  list(): Promise<readonly ScheduleInfo[]>
  /** It fires no more until it is resumed. Throws ScheduleNotFoundError. */
  pause(name: string): Promise<ScheduleInfo>
  /** It fires again from now on; what came while it was paused is not made up for. Throws ScheduleNotFoundError. */
  resume(name: string): Promise<ScheduleInfo>
  /** Removes a schedule; what it has begun continues. Returns it as it was. Throws ScheduleNotFoundError. */
  remove(name: string): Promise<ScheduleInfo>
  /**
   * Fires now, even if it is paused, and leaves its next instant as it is. Resolves when the task or the run is in the log.
   * Throws ScheduleNotFoundError, and whatever asking the agent or starting the run throws.
   */
  run(name: string): Promise<FiredSchedule>
}

/**
 * `orchestrator.runs`: the runs of workflows.
 *
 * @example
 * for (const { runId, status } of await orchestrator.runs.list())
 *   if (status === 'paused') await orchestrator.runs.resume(runId)
 */
export interface OrchestratorRuns {
  /** All runs, or only those that are running, waiting or held (`{ open: true }`); the newest first. */
  list(which?: RunListOptions): Promise<readonly RunInfo[]>
  /** A run and its steps. Throws RunNotFoundError. */
  show(runId: string): Promise<RunDetails>
  /**
   * What each agent of a run did in it to its files. Throws RunNotFoundError.
   *
   * @example
   * for (const { agent, files } of (await orchestrator.runs.diff('checkout')).agents) console.log(agent, files.length)
   */
  diff(runId: string, options?: RunDiffOptions): Promise<RunDiff>
  /**
   * Waits for a run to end, whichever process executes it, and returns its result: at once if it has ended. Throws
   * RunNotFoundError, and RunInterruptedError if it was cancelled.
   *
   * @example
   * const { success, metadata } = await orchestrator.runs.result('report-7')
   */
  result(runId: string): Promise<WorkflowResult>
  /**
   * What resuming a run would take from the log, and what it would ask again. Makes no call, writes nothing, and throws
   * what resuming it would, but not for a workflow that has changed.
   */
  plan(runId: string, workflow?: Pattern | string | WorkflowReference): Promise<RunPlan>
  /**
   * Resumes a run that was paused, failed, or was left behind by a crash: answered steps are not asked again. Without a
   * workflow it resumes with the one that it recorded, if that is data. The run rejects with RunNotFoundError,
   * RunFinishedError, WorkflowChangedError and WorkflowNotBuiltError; throws RunActiveError if it is running.
   */
  resume(runId: string, workflow?: Pattern | string | WorkflowReference, options?: ResumeOptions): Run
  /** Ends a run for good, even if no process works on it. Throws RunNotFoundError, RunFinishedError. */
  cancel(runId: string, reason?: string, verdict?: Verdict): Promise<void>
  /**
   * Creates a run that takes over what another one had answered before a step; resume it to continue from there. Throws
   * RunNotFoundError, StepNotFoundError, CannotForkError.
   */
  fork(runId: string, options: RunForkOptions): Promise<ForkedRun>
}

/**
 * `orchestrator.history`: the past, read from the log. It makes no calls and writes nothing.
 *
 * @example
 * const { state } = await orchestrator.history.stateAt('agent/researcher', 12)
 * for await (const { recorded, after } of orchestrator.history.replay('agent/researcher'))
 *   console.log(recorded.version, recorded.type, after.value)
 */
export interface OrchestratorHistory {
  /** The facts of the log, or of one stream, that are there now. Throws StreamNotFoundError. */
  log(range?: LogRange): AsyncGenerator<Recorded>
  /**
   * Each fact of an actor's stream with the state before and after it. Throws StreamNotFoundError, VersionNotFoundError, and
   * UnknownKindError for an actor of your own whose kind is not registered.
   */
  replay(stream: `agent/${string}`, options?: ReplayOptions): AsyncGenerator<ReplayStep<typeof agentMachine>>
  replay(stream: `run/${string}`, options?: ReplayOptions): AsyncGenerator<ReplayStep<typeof runMachine>>
  replay(
    stream: `supervisor/${string}`,
    options?: ReplayOptions,
  ): AsyncGenerator<ReplayStep<typeof supervisorMachine>>
  replay(stream: string, options?: ReplayOptions): AsyncGenerator<AnyReplayStep>
  /**
   * The state of an actor: after the fact of a version, at a time, or now (the default). Throws StreamNotFoundError,
   * VersionNotFoundError, BeforeFirstFactError.
   */
  stateAt(stream: string, when?: When): Promise<StateAt>
  /** Folds the log, or one stream, again and compares the states with those recorded at each commit. */
  verify(options?: { readonly stream?: string }): Promise<ReplayReport>
  /** What led to the fact at a position, through agents and runs, back to the command. Throws PositionNotFoundError. */
  why(position: number): Promise<readonly CauseLine[]>
}

/** How long a part may take to close, in ms: longer than a runner that does not heed its signal. */
const CLOSES_WITHIN_MS = 30_000

/** Loaded when it is needed: most programs give their workflows as code. */
const build: BuildWorkflow = async (workflow) =>
  (await import('./workflows/built-workflow.ts')).buildWorkflow(workflow)

const byName = <T extends Workflow | undefined>(workflow: T | string): T | JsonObject =>
  typeof workflow === 'string' ? { kind: 'program', name: workflow } : workflow

const AT_ONCE = 'at-once'

/** Throws InvalidInputError. */
function checkOptions(options: OrchestratorOptions): void {
  checkOptionsOf('Orchestrator.open', options, OPTIONS)
  checkArgument('baseDir', options.baseDir ?? '.', 'a path')
  const { resume = AT_ONCE, declare = AT_ONCE, agents = [] } = options
  for (const [what, when] of Object.entries({ resume, declare }))
    if (when !== AT_ONCE && when !== 'on-demand')
      throw new InvalidInputError({ what, problem: 'it is neither "at-once" nor "on-demand"' })
  const ids = agents.map((agent) => agent?.id)
  const twice = ids.find((id, at) => id !== undefined && ids.indexOf(id) < at)
  if (twice !== undefined)
    throw new InvalidInputError({ what: 'agents', problem: `it has two agents ${JSON.stringify(twice)}` })
  for (const [name, pattern] of Object.entries(options.workflows ?? {}))
    checkArgument(`The workflow "${name}"`, pattern, 'a function')
  if (options.cluster) checkCluster(options)
  const { maxAgents, limits, budget, callMinimum, cacheReadWeight, agentDefaults } = options
  checkBounds({ maxAgents, limits, budget, callMinimum, cacheReadWeight, agentDefaults })
}

function checkCluster({ cluster, store, placement }: OrchestratorOptions): void {
  checkArgument('cluster', cluster, 'an object')
  refuseUnknownKeys(cluster ?? {}, { database: true }, { what: 'cluster', noun: 'option' })
  if (store || placement)
    throw new InvalidInputError({ what: 'cluster', problem: 'it has a log and a placement of its own' })
}

/** Does the work once, however often it is asked for; again only if it failed. */
function onceDone<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined
  return () => {
    done ??= work().catch((error) => {
      done = undefined
      throw error
    })
    return done
  }
}

/** Throws InvalidInputError for a Node that is too old for it, and for packages that are missing. */
async function joined(cluster: ClusterOptions, logger: Logger) {
  const { loaded } = await import('./cluster/requirements.ts')
  const { joinCluster } = await loaded(() => import('./cluster/cluster.ts'))
  return joinCluster(cluster, logger)
}

function ignoreLostStore(error: unknown): void {
  if (!(error instanceof StoreLockLost)) throw error
}
