/** An agent as its users hold it: a role with a queue of tasks and a memory. */
import { waitFor } from 'xstate'
import type { TakenSession, TakenTurns } from '../../claude/runner.ts'
import { trust } from '../../config/trust.ts'
import type { AgentFact } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { AgentBusyError, AgentNotFoundError } from '../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../events/errors/base.ts'
import { shellWord } from '../../events/errors/phrases.ts'
import { ClosedError, InvalidInputError } from '../../events/errors/usage.ts'
import { checkTaskId } from '../../events/ids.ts'
import { canonicalJson, defined } from '../../events/json.ts'
import type { AgentConfig } from '../../events/options/agent.ts'
import { type AgentChanges, editedConfig, forgottenRules } from '../../events/options/agent-changes.ts'
import type { Budget } from '../../events/options/budget.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import { amountOf, recordedSpending } from '../../events/spending.ts'
import type { TaskInput } from '../../events/task-input.ts'
import { checkDirectories } from '../../workspaces/added-directories.ts'
import type { BudgetInfo } from '../admission/admission.ts'
import type { Causation } from '../engine/actor.ts'
import { Life } from '../engine/life.ts'
import type { RecoveryOutcome } from './call.ts'
import { BEGIN_HELD, cancelTasks, isHeldForMoney, wakingKey } from './decisions.ts'
import type { AgentActor, AgentEnvironment, AgentLife } from './environment.ts'
import { AgentFiles } from './files.ts'
import { type AgentSnapshot, agentKind } from './machine.ts'
import { AgentMailbox, type SendOptions, type SentMessage } from './mailbox/mailbox.ts'
import { wakingMessage } from './mailbox/unread.ts'
import type { AgentMetrics, AgentRef } from './ref.ts'
import { type SessionLink, sessionLinks } from './session/chain.ts'
import { type AgentStatus, totalTokens } from './state.ts'
import { AgentSupervision, type SupervisedAgent } from './supervision.ts'
import type { AskOptions, Reply, TaskHandle } from './tasks/ask.ts'
import type { DraftChange, HoldListeners } from './tasks/channel.ts'
import { heldAt } from './tasks/deferral.ts'
import {
  approveTask,
  decideTool,
  type HeldTask,
  heldCurrent,
  heldTasksIn,
  type Rejection,
  rejectTask,
  type ToolVerdict,
  type Verdict,
} from './tasks/held.ts'
import type { TaskSpending } from './tasks/known-tasks.ts'
import { AgentTasks } from './tasks/tasks.ts'
import { AgentWorker } from './worker.ts'

/** An agent that lives in this process. */
export class Agent implements AgentRef {
  readonly id: string
  readonly #life: AgentLife
  readonly #environment: AgentEnvironment
  /** It is in memory, and was used just now. */
  readonly used: () => void
  /** The tasks of this process; none while the agent rests. */
  #tasksHere: AgentTasks | undefined
  readonly #loadedAt: number
  readonly #supervision = new AgentSupervision()
  #started = false
  /** Whether another process runs its tasks. */
  readonly #isElsewhere: boolean
  /** Whether a user has its machine: it may be subscribed to. */
  #isWatched = false

  private constructor(id: string, environment: AgentEnvironment, used: (agent: Agent) => void) {
    this.id = id
    this.#life = new Life(agentKind, id, environment)
    this.#environment = environment
    // A handle that a user still holds of a removed agent is none of those in use.
    this.used = () => void (this.#life.closed || used(this))
    this.#loadedAt = environment.clock.now()
    this.#isElsewhere = environment.store.forReading === true || !environment.owns(id)
    this.#life.woken = this.used
    // Their callers ask again, here or where the agent lives now.
    this.#life.lost = (error) => this.#tasksHere?.giveUp(error)
  }

  /**
   * Folds the agent's facts. It does not work until `start` or the first `ask`.
   *
   * @param used Called when it is in memory, and whenever it is used.
   */
  static async load(id: string, environment: AgentEnvironment, used: (agent: Agent) => void): Promise<Agent> {
    const agent = new Agent(id, environment, used)
    await agent.use()
    return agent
  }

  get status(): AgentStatus {
    return this.snapshot.value
  }

  get snapshot(): AgentSnapshot {
    return this.#life.snapshot
  }

  get isStarted(): boolean {
    return this.#started
  }

  get version(): number {
    return this.#life.version
  }

  get machine(): AgentActor['machine'] {
    this.#isWatched = true
    return this.#life.machine
  }

  /** Whether nothing needs it in memory: no task, no caller, no supervisor, and no subscriber. */
  get isIdle(): boolean {
    const { current, queue, abandoned = [] } = this.snapshot.context
    const isFree = current === null && queue.length + abandoned.length === 0 && !this.#isWatched
    return isFree && !this.#supervision.isSupervised && this.#tasksHere?.isIdle !== false && this.#life.isIdle
  }

  /** Whether it is in memory. */
  get isHere(): boolean {
    return this.#life.current !== undefined && !this.#life.closed
  }

  /** Loads it unless it is in memory. */
  async use(): Promise<void> {
    await this.#life.use()
    this.used()
  }

  /** Folds its facts afresh if another process has written some. */
  refresh(): Promise<boolean> {
    return this.#life.refresh()
  }

  /** Evicts it from memory. It loads again when it is used. */
  rest(): void {
    this.#tasksHere?.leave()
    this.#tasksHere = undefined
    this.#life.rest()
  }

  ask(task: string | TaskInput, options: AskOptions = {}): TaskHandle {
    return this.#tasks.ask(task, options)
  }

  accept(task: string | TaskInput, options: AskOptions = {}): Promise<string> {
    return this.#tasks.accept(task, options)
  }

  cancel(taskId: string, reason: string, verdict: Verdict = {}): Promise<boolean> {
    return this.#tasks.cancel(taskId, reason, verdict)
  }

  async reply(taskId: string, listeners: HoldListeners = {}): Promise<Reply> {
    checkTaskId(taskId)
    return this.#tasks.reply(taskId, listeners)
  }

  async *drafts(signal?: AbortSignal): AsyncGenerator<DraftChange> {
    if (!this.#life.closed) yield* this.#tasks.channel.drafts(signal)
  }

  spentOn(taskId: string): Promise<TaskSpending> {
    return this.#tasks.spentOn(taskId)
  }

  async approve(taskId: string, verdict: Verdict = {}): Promise<void> {
    await this.#life.decide(({ context }) => approveTask(context, taskId, verdict), {
      correlationId: taskId,
    })
    this.start()
  }

  async reject(taskId: string, rejection: Rejection = {}): Promise<void> {
    await this.#life.decide(({ context }) => rejectTask(context, this.id, taskId, rejection), {
      correlationId: taskId,
    })
  }

  async decideTool(callId: string, { input, ...verdict }: ToolVerdict): Promise<void> {
    await this.#life.use()
    const given = typeof input === 'string' ? await this.#tasks.bodies.write(input) : input
    const { taskId = null, cause = null } = this.snapshot.context.current ?? {}
    const decision = { ...verdict, ...defined({ input: given }) }
    await this.#life.decide(({ context }) => decideTool(context, callId, decision), {
      ...{ correlationId: taskId, causationId: cause },
    })
  }

  async held(): Promise<readonly HeldTask[]> {
    await this.#life.use()
    return heldTasksIn(this.id, this.snapshot.context, this.#environment.admission)
  }

  setBudget(budget: Budget): Promise<BudgetInfo> {
    return this.#environment.admission.setBudget(this.id, budget)
  }

  budget(): Promise<BudgetInfo> {
    return this.#environment.admission.budgetOf(this.id)
  }

  get workspace(): string {
    return this.#environment.directories(this.id).workspace
  }

  get files(): AgentFiles {
    return new AgentFiles(this.id, this.#life, this.#environment)
  }

  async edit(changes: AgentChanges, { by }: Verdict = {}): Promise<void> {
    checkArgument('The changes of the agent', changes, 'an object')
    await this.#life.use()
    const edited = ({ context }: AgentSnapshot) => {
      if (context.config === null) throw new AgentNotFoundError({ agent: this.id, nearest: null })
      return editedConfig(this.id, context.config, changes)
    }
    // What is wrong with it is told before its budget is set.
    const config = edited(this.snapshot)
    forgottenRules(this.id, this.snapshot.context.rules, changes)
    await checkDirectories(config, this.#environment.baseDir)
    if (changes.workspace?.project) await this.trustProject(config)
    const { budget } = changes
    if (budget !== undefined) await this.setBudget(budget ?? { usd: null, tokens: null })
    await this.configure(edited, by)
    await this.#life.decide(({ context }) =>
      forgottenRules(this.id, context.rules, changes).map((rule) => ({
        ...{ type: 'ToolRuleForgotten' as const, data: { rule, ...(by && { by }) } },
      })),
    )
    // What is unread may wake it now.
    if (config.onMessage === 'wake') this.start()
  }

  /** Records a configuration, if it is another one. */
  async configure(decide: (snapshot: AgentSnapshot) => AgentConfig, by?: string): Promise<void> {
    await this.#life.decide((snapshot) => {
      const config = decide(snapshot)
      return canonicalJson(snapshot.context.config) === canonicalJson(config)
        ? []
        : [{ type: 'AgentConfigured', data: { config, ...(by && { by }) } }]
    })
  }

  /** Trusts what the repository had of settings where the agent began, if it is to, whatever the agent has made of them. */
  async trustProject({ workspace }: AgentConfig): Promise<void> {
    const { runner, directories, logger } = this.#environment
    if (!workspace?.project || workspace.settings === undefined || !runner.files) return
    try {
      const place = { agent: this.id, workspace, directories: directories(this.id) }
      const { repository } = await runner.files.project(place)
      await trust({ path: repository, text: workspace.settings }, process.env)
    } catch (error) {
      logger.warn(
        { agent: this.id, error },
        "the project's own settings do not count: its repository is not there",
      )
    }
  }

  get mailbox(): AgentMailbox {
    return new AgentMailbox(this.id, this.#life, this.#environment, () => this.start())
  }

  send(to: string, text: string, options?: SendOptions): Promise<SentMessage> {
    return this.mailbox.send(to, text, options)
  }

  async reset({ by }: Verdict = {}): Promise<void> {
    await this.#life.use()
    const held = await heldCurrent(this.id, this.snapshot.context, this.#environment.admission)
    await this.#life.decide(({ value }) => {
      if (value === 'busy' || value === 'retry' || value === 'held')
        throw new AgentBusyError({ agent: this.id, held })
      return [{ type: 'AgentReset', data: { ...(by && { by }) } }]
    })
  }

  async take(session: TakenSession, { by }: Verdict = {}): Promise<TakenTurns> {
    const { runner, admission, directories, newId } = this.#environment
    const { path, sessionId, parentSessionId } = session
    if (!runner.take) {
      const problem = 'its runner has no conversations in a terminal'
      throw new InvalidInputError({ what: `Agent "${this.id}"`, problem })
    }
    await this.#life.use()
    const check = ({ context, value }: AgentSnapshot) => {
      if (context.config === null) throw new AgentNotFoundError({ agent: this.id, nearest: null })
      const hint = `Keep both: claude-agents agent adopt ${shellWord(path)} --as NEW`
      if (context.current !== null)
        throw new InvalidInputError({
          what: `Agent "${this.id}"`,
          problem: `${value === 'held' ? 'a task of it is held' : 'it is working on a task'}, whose answer continues from before`,
          hint,
        })
      if (context.session !== parentSessionId)
        throw new InvalidInputError({
          what: `Agent "${this.id}"`,
          problem: 'its conversation has moved on meanwhile',
          hint,
        })
    }
    check(this.snapshot)
    await this.#environment.moving?.arrive(this.id, this.#life)
    const { turns, spent } = await runner.take(session, directories(this.id))
    if (turns === 0) return { turns, spent }
    const callId = newId()
    const { totals, lastCost } = this.snapshot.context
    const request = {
      callId,
      taskId: callId,
      agent: this.id,
      agentVersion: this.version,
      costs: { totals, lastCost },
    }
    const recorded = recordedSpending(spent, admission.tokensOf(spent.usage))
    const data = { sessionId, turns, parentSessionId, callId, ...recorded, ...(by && { by }) }
    await admission.charge(request, amountOf(recorded))
    try {
      const news = { session: { sessionId, parentSessionId } }
      const stored = (await this.#environment.moving?.store(this.id, this.snapshot.context, news)) ?? []
      await this.#life.decide((state) => {
        check(state)
        return [{ type: 'SessionAdopted', data }, ...stored]
      })
    } finally {
      admission.settle(callId)
    }
    return { turns, spent }
  }

  async stop(reason = 'asked to'): Promise<void> {
    await this.endTasks(() =>
      this.#life.decide(({ context }) => [
        ...cancelTasks(context, `the agent was stopped: ${reason}`),
        { type: 'AgentStopped', data: { reason } },
      ]),
    )
  }

  async sessions(): Promise<readonly SessionLink[]> {
    return sessionLinks(this.#environment.store, this.#life.stream)
  }

  metrics(): AgentMetrics {
    const { session, totals } = this.snapshot.context
    return {
      agentId: this.id,
      status: this.status,
      totalInteractions: totals.interactions,
      totalTokens: totalTokens(totals),
      totalCostUsd: totals.costUsd,
      estimatedCostUsd: totals.estimatedUsd ?? 0,
      uptimeSeconds: (this.#environment.clock.now() - this.#loadedAt) / 1000,
      currentSession: session,
      // Each answered call creates one.
      sessionCount: totals.interactions,
    }
  }

  /** Does what removes the agent. If that fails, what is unread may begin a task again. */
  async leave<T>(remove: () => Promise<T>): Promise<T> {
    const tasks = this.#tasks
    tasks.isLeaving = true
    try {
      return await remove()
    } catch (error) {
      tasks.isLeaving = false
      const waking = wakingMessage(this.snapshot.context)
      if (waking) this.#life.again(wakingKey(waking))
      throw error
    }
  }

  /** Records facts for the system that owns the agents (created, configured, removed). */
  record(
    decision: (snapshot: AgentSnapshot) => readonly AgentFact[],
    origin?: Causation,
  ): Promise<readonly Recorded[]> {
    return this.#life.decide(decision, origin)
  }

  /**
   * Ends tasks by a decision. The call of one that nothing here carries out, because the agent was halted or only looked at,
   * is ended as after a crash: what it answered or cost is in the log before this resolves.
   */
  async endTasks(decide: () => Promise<readonly Recorded[]>): Promise<readonly Recorded[]> {
    const actor = this.#life.current ?? (await this.#life.use())
    const recorded = await decide()
    const { abandoned = [] } = this.snapshot.context
    if (abandoned.length === 0 || actor.isWorking || actor.closed) return recorded
    await actor.quiet()
    const worker = new AgentWorker(this.id, actor, this.#environment, this.#tasks)
    for (const call of abandoned) await worker.end(call)
    return recorded
  }

  async settled(): Promise<void> {
    for (;;) {
      if (!this.#life.closed && !isAtRest(this.snapshot)) {
        // Rejects if the actor ends meanwhile.
        await waitFor(this.#life.machine, isAtRest, { timeout: Number.POSITIVE_INFINITY }).catch(() => {})
      }
      // A supervisor may have reloaded the agent.
      if (!this.#life.closed) await this.#life.quiet()
      // A held task may have begun.
      if (isAtRest(this.snapshot) || this.#life.isLost) return
      if (this.#life.closed) throw new ClosedError({ what: 'orchestrator' })
    }
  }

  /** Whether its state has no task to run. */
  get isAtRest(): boolean {
    return isAtRest(this.snapshot)
  }

  start(): void {
    if (this.#started || this.#isElsewhere) return
    this.#started = true
    this.#reportOpenTasks()
    this.#work()
  }

  /**
   * Runs the agent as a supervisor's child: out of its error state, and reloaded from its log if it had ended. Queued
   * tasks resume in the same session chain. Throws AlreadySupervisedError and whatever loading throws.
   */
  async runUnder(supervisor: string): Promise<SupervisedAgent<Agent>> {
    const { child, hasEnded } = this.#supervision.begin(this, this.#life, supervisor)
    try {
      if (hasEnded) await this.#life.reload({ atOnce: this.#supervision.wasKilled, insists: true })
      await this.#life.decide(({ value }) =>
        value === 'error' || value === 'stopped' ? [{ type: 'AgentRestarted', data: {} }] : [],
      )
      if (this.status === 'absent') throw new AgentNotFoundError({ agent: this.id, nearest: null })
    } catch (error) {
      await child.kill()
      throw error
    }
    this.#tasks.refuse(undefined)
    if (hasEnded) {
      this.#started = true
      this.#work()
    } else this.start()
    return child
  }

  halt(): Promise<void> {
    return this.#life.halt()
  }

  /** Refuses tasks and rejects pending replies with the reason. */
  refuse(reason: ClaudeAgentError): void {
    this.#tasks.refuse(reason)
  }

  /** Held tasks may begin when there is money again. */
  review(): void {
    if (this.snapshot.context.queue.some(isHeldForMoney)) this.#life.again(BEGIN_HELD)
  }

  /** Stops without recording anything: a running call is terminated, and settled when the store is next opened. */
  async close(): Promise<void> {
    this.#tasksHere?.close()
    await this.#life.close()
  }

  get #tasks(): AgentTasks {
    this.#tasksHere ??= new AgentTasks(this.id, this.#life, this.#environment, this)
    return this.#tasksHere
  }

  #work(): void {
    const perform = (actor: AgentActor) => {
      const worker = new AgentWorker(this.id, actor, this.#environment, this.#tasks)
      this.#tasks.worker = worker
      return worker.perform
    }
    this.#life.start(perform, (error) => this.#supervision.crash(error))
  }

  /** Reports tasks that an earlier process left without a call in flight: they need no recovery and simply resume. */
  #reportOpenTasks(): void {
    const { current, queue } = this.snapshot.context
    const report = (taskId: string, outcome: RecoveryOutcome) =>
      this.#environment.recovered({ agent: this.id, taskId, outcome })
    if (current && !current.call && !heldAt(this.snapshot.context)) report(current.taskId, 'retried')
    for (const { taskId, hold } of queue) if (!hold) report(taskId, 'redispatched')
  }
}

const isAtRest = ({ value, context }: AgentSnapshot) =>
  value === 'held' || (context.current === null && context.queue.every(({ hold }) => hold !== undefined))
