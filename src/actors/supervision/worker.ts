/** Does a supervisor's work, strictly in turn: starts its children, handles their exits, restarts and stops them. */
import { type Clock, pause, soon } from '../../clock.ts'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import type { SupervisionFailedError } from '../../events/errors/supervision.ts'
import type { ChildData } from '../../events/options/supervision.ts'
import type { SupervisorFact } from '../../events/supervisor-facts.ts'
import type { Logger } from '../../logger.ts'
import type { ActorEnvironment } from '../engine/actor.ts'
import type { Effect } from '../engine/definition.ts'
import { type Exit, failureOf, removedAgent, type Supervised } from '../engine/exit.ts'
import type { Life } from '../engine/life.ts'
import { Mailbox } from '../engine/mailbox.ts'
import { insist } from '../engine/wish.ts'
import { childIn, inStartOrder } from './child-table.ts'
import {
  childExited,
  childRemoved,
  childStartFailed,
  type ExitDecision,
  isDue,
  type Next,
  restartCancelled,
  restartedWith,
  scheduledIn,
  stoppedForGood,
  stoppedWith,
  strandedIn,
  terminated,
  waitingWith,
} from './decisions.ts'
import type { supervisorMachine } from './machine.ts'
import { MonotonicStamps } from './monotonic-stamps.ts'
import { restartLeftMs } from './restart-intensity.ts'
import type { ChildState, SupervisorContext } from './state.ts'
import { type RunningChild, SupervisedChildren } from './supervised-children.ts'

export type SupervisorActor = Life<typeof supervisorMachine, Effect>

/** What a supervisor needs from the world. */
export interface SupervisionEnvironment extends ActorEnvironment {
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  /** Runs an agent for a supervisor. */
  readonly startAgent: (agent: string, supervisor: string) => Promise<Supervised>
  /** Called when a root supervisor gives up after too many restarts. */
  readonly failed: (error: SupervisionFailedError, ended: Promise<void>) => void
  /** Whether the process is about to end: nothing more is recorded, so that the next process resumes the tree. */
  readonly isClosing: () => boolean
}

/** Starts a child of any type. `again`: it has run before, so agents below it may have been removed since. */
export type LaunchChild = (data: ChildData, again: boolean) => Supervised | Promise<Supervised>

/** Why a supervisor ends by itself. */
export type End = Extract<Next, { type: 'end' }>

export class SupervisorWorker {
  readonly mailbox = new Mailbox()
  readonly children: SupervisedChildren
  readonly #actor: SupervisorActor
  readonly #environment: SupervisionEnvironment
  readonly #launch: LaunchChild
  readonly #end: (end: End) => Promise<void>
  readonly #stamps: MonotonicStamps
  readonly #timers = new Map<string, () => void>()
  #recorded: Promise<unknown> = Promise.resolve()
  /** Those that wait for their turn, each as what refuses it. */
  readonly #commands = new Set<(error: unknown) => void>()
  /** Why what has happened to a child cannot be recorded now. */
  #refusal: unknown

  /**
   * @param end Called when the supervisor decides to end, with the children still running.
   */
  constructor(
    id: string,
    actor: SupervisorActor,
    environment: SupervisionEnvironment,
    launch: LaunchChild,
    end: (end: End) => Promise<void>,
  ) {
    this.#actor = actor
    this.#environment = environment
    this.#launch = launch
    this.#end = end
    this.#stamps = new MonotonicStamps(this.#clock, actor.snapshot.context.stamps.at(-1) ?? 0)
    this.children = new SupervisedChildren(id, environment, (running, exit) =>
      this.#post(() => this.#exited(running, exit)),
    )
  }

  /** The state once everything decided so far is durable, or has failed. */
  async state(): Promise<SupervisorContext> {
    await this.#recorded.catch(() => {})
    return this.#actor.snapshot.context
  }

  /** Records facts. Those not awaited share an append with the next ones. */
  record(...facts: SupervisorFact[]): Promise<unknown> {
    if (this.#environment.isClosing()) return Promise.resolve()
    const recording = this.#actor.decide(() => facts)
    this.#recorded = recording
    recording.catch(() => {})
    return recording
  }

  /**
   * Starts the children that should run, in order. Restarts that an earlier process scheduled keep their time, and the
   * children restarted with them wait too. Throws ChildStartError, with the children started before it still running.
   *
   * @param again Whether the tree has run before in this process.
   * @param mayBeGone Whether a child is dropped, not missed, if its agent was removed.
   */
  async startAll(again: boolean, mayBeGone: (id: string) => boolean): Promise<void> {
    const context = await this.state()
    const scheduled = scheduledIn(context)
    const stranded = new Set(strandedIn(context))
    const recorded: Promise<unknown>[] = []
    for (const child of inStartOrder(context.children)) {
      if (child.status === 'stopped' || (child.status === 'restarting' && !stranded.has(child))) continue
      try {
        recorded.push(this.record(await this.start(child.data, again)))
      } catch (error) {
        if (!isRemovedAgent(child.data, error) || !mayBeGone(child.data.id)) throw error
        recorded.push(this.record({ type: 'ChildDeleted', data: { id: child.data.id } }))
      }
    }
    for (const child of scheduled) this.#armAsScheduled(child)
    await Promise.all(recorded)
  }

  /** Starts one child. Resolves with the fact to record. Throws ChildStartError. */
  async start(data: ChildData, again: boolean): Promise<StartedFact> {
    await this.children.start(data, () => this.#launch(data, again))
    return { type: 'ChildStarted', data: { id: data.id, stamp: this.#stamps.now() } }
  }

  /**
   * A turn of the mailbox for a command. It is refused while the turn before it cannot end because nothing can be recorded:
   * what has happened to a child comes first.
   */
  command<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#refusal) return reject(this.#refusal)
      this.#commands.add(reject)
      void this.mailbox.post(async () => {
        if (this.#commands.delete(reject)) await work().then(resolve, reject)
      })
    })
  }

  /**
   * Resolves when the start of a child is recorded. If it cannot be, the child is stopped again, so that nothing runs that
   * the log does not have.
   */
  async keep(id: string, recording: Promise<unknown>): Promise<void> {
    try {
      await recording
    } catch (error) {
      await this.mailbox.post(() => this.#stopUnlisted(id))
      throw error
    }
  }

  /** Stops all children for good, in reverse order. Nothing starts any more, and no exit counts. */
  async stopAll(): Promise<void> {
    this.children.leave()
    for (const cancel of this.#timers.values()) cancel()
    // It also ends if nothing can be recorded any more.
    const context = await this.state()
    for (const id of this.children.ids().toReversed())
      if (!childIn(context.children, id)) await this.#stopUnlisted(id)
    await this.#stopForGood(inStartOrder(context.children), context)
  }

  /** Stops one child for good, or cancels its restart. Those that waited for it are restarted without it. */
  async terminate(child: ChildState): Promise<void> {
    const { id } = child.data
    const context = await this.state()
    if (child.status === 'restarting') {
      await this.record(restartCancelled(context, child))
      this.#timers.get(id)?.()
      return this.#guarded(() => this.#restartStranded(id))
    }
    await this.record(terminated(context, child))
    // The decision is durable: the command does not fail because how the child ended could not be recorded.
    await this.#stopForGood([child], context)
  }

  /** An agent was removed: a child that it was, and that does not run, ends with its specification. */
  agentRemoved(agent: string): void {
    this.#post(async () => {
      const { children } = await this.state()
      const gone = inStartOrder(children).filter(
        ({ data }) => data.starts === 'agent' && data.agent === agent && !this.children.has(data.id),
      )
      for (const { data } of gone) {
        await this.#drop(data)
        await this.#restartStranded(data.id)
      }
    })
  }

  get #clock(): Clock {
    return this.#environment.clock
  }

  get #logger(): Logger {
    return this.#environment.logger
  }

  get #isEnding(): boolean {
    return this.#actor.closed || this.children.leaving.aborted || this.#environment.isClosing()
  }

  async #exited(running: RunningChild, exit: Exit): Promise<void> {
    if (!this.children.take(running) || this.children.leaving.aborted) return
    const { id } = running.data
    const moment = this.#moment()
    const { next, facts } = await this.#decide((context) => childExited(context, id, exit, moment))
    const isRestarted = facts.some(({ type }) => type === 'RestartScheduled')
    await this.#perform(next)
    if (!isRestarted) this.children.release(running)
  }

  /** A scheduled restart is due. */
  async #restart(id: string, attempt: number): Promise<void> {
    const context = await this.state()
    if (isDue(context, id, attempt)) await this.#startTogether(id, waitingWith(context, id))
  }

  /** A child that others waited for is restarted no more: they are, at once or when their own restart is due. */
  async #restartStranded(id: string): Promise<void> {
    const context = await this.state()
    for (const child of scheduledIn(context))
      if (!this.#timers.has(child.data.id)) this.#armAsScheduled(child)
    const stranded = strandedIn(context)
    if (stranded.length > 0) await this.#startTogether(id, stranded)
  }

  /** Restarts children, in order. One that fails to start is restarted again, with those that are tied to it. */
  async #startTogether(id: string, children: readonly ChildState[]): Promise<void> {
    const recorded: Promise<unknown>[] = []
    const restarted: string[] = []
    for (const { data } of children) {
      try {
        recorded.push(this.#happened(await this.start(data, true)))
        restarted.push(data.id)
      } catch (error) {
        if (this.#isEnding) return
        await Promise.all(recorded)
        if (isRemovedAgent(data, error)) await this.#drop(data)
        else return this.#startFailed(data, error)
      }
    }
    const fact = { type: 'ChildrenRestarted', data: { id, children: restarted } } as const
    if (restarted.length > 0) recorded.push(this.#happened(fact))
    await Promise.all(recorded)
  }

  async #startFailed({ id }: ChildData, error: unknown): Promise<void> {
    const moment = this.#moment()
    const failure = failureOf(causeOf(error))
    const { next } = await this.#decide((context) => childStartFailed(context, id, failure, moment))
    await this.#perform(next, { isRetry: true })
  }

  /** Ends a child whose agent was removed. */
  async #drop({ id, agent }: ChildData): Promise<void> {
    const moment = this.#moment()
    const exit = removedAgent(agent ?? id)
    const { next } = await this.#decide((context) => childRemoved(context, id, exit, moment))
    this.#timers.get(id)?.()
    await this.#perform(next)
  }

  /**
   * A restart without a delay happens within this turn of the mailbox, as in OTP: commands come after it. A failed start is
   * tried again in a later turn, so that commands to stop the child or the supervisor come first.
   */
  async #perform(next: Next, { isRetry = false } = {}): Promise<void> {
    if (next.type === 'end') return this.#end(next)
    if (next.type === 'continue') return
    await this.#stop(
      restartedWith(await this.state(), next.id),
      ({ data }) => data.restart === 'temporary',
      (child, exit) => this.#happened(stoppedWith(child, exit)),
    )
    if (isRetry || next.delayMs > 0) return this.#arm(next.id, next.attempt, next.delayMs)
    await new Promise<void>((resolve) => soon(this.#clock, resolve))
    await this.#restart(next.id, next.attempt)
  }

  /**
   * Stops the running ones among these children, in reverse order, each within its shutdown time.
   *
   * @param record Records an exit. Those recorded meanwhile share an append.
   */
  async #stop(
    children: readonly ChildState[],
    isForGood: (child: ChildState) => boolean,
    record: (child: ChildState, exit: Exit) => Promise<unknown>,
  ): Promise<void> {
    const recorded: Promise<unknown>[] = []
    for (const child of children.toReversed()) {
      const { id } = child.data
      if (!this.children.has(id)) continue
      const exit = await this.children.stop(id, isForGood(child) && !this.#environment.isClosing())
      recorded.push(record(child, exit))
    }
    await Promise.all(recorded)
  }

  #stopForGood(children: readonly ChildState[], context: SupervisorContext): Promise<void> {
    return this.#stop(
      children,
      () => true,
      (child, exit) => this.#tryToRecord(stoppedForGood(context, child, exit)),
    )
  }

  /** Stops a child that the log does not have. */
  async #stopUnlisted(id: string): Promise<void> {
    const { children } = this.#actor.snapshot.context
    if (childIn(children, id)?.status !== 'running') await this.children.stop(id, true)
  }

  #armAsScheduled(child: ChildState): void {
    const { rules } = this.#actor.snapshot.context
    this.#arm(child.data.id, child.attempt, restartLeftMs(rules, child, this.#clock.now()))
  }

  /** Restarts by way of the mailbox, and of the event loop: a child that never starts must not keep others from their turn. */
  #arm(id: string, attempt: number, delayMs: number): void {
    const due = () => {
      this.#timers.delete(id)
      this.#post(() => this.#restart(id, attempt))
    }
    this.#timers.get(id)?.()
    const cancel = delayMs > 0 ? this.#clock.after(delayMs, due) : later(this.#clock, due)
    this.#timers.set(id, () => {
      cancel()
      this.#timers.delete(id)
    })
  }

  /** Records what has happened. See `#decide`. */
  #happened(...facts: SupervisorFact[]): Promise<unknown> {
    const recording = this.#decide(() => ({ facts, next: { type: 'continue' } }))
    recording.catch(() => {})
    return recording
  }

  /** Records what has happened to a child that the log already counts as ended, or whose supervisor ends. */
  async #tryToRecord(fact: SupervisorFact): Promise<void> {
    try {
      await this.record(fact)
    } catch (error) {
      this.#logger.warn({ stream: this.#actor.stream, fact, error }, NOT_RECORDED)
    }
  }

  /**
   * Decides on the state about something that has happened, and records the facts before anything is done about it. It cannot
   * be refused, so a failure that may pass is retried.
   */
  #decide(decision: (context: SupervisorContext) => ExitDecision): Promise<ExitDecision> {
    const supervisor = this
    const wish = {
      get isWanted() {
        return !supervisor.#isEnding
      },
      pause: (delayMs: number) => pause(this.#clock, delayMs, this.children.leaving),
    }
    const decide = async () => {
      let decided: ExitDecision | undefined
      const recording = this.#actor.decide(({ context }) => {
        decided = decision(context)
        return decided.facts
      })
      this.#recorded = recording
      await recording
      return decided as unknown as ExitDecision
    }
    const refuse = (error: unknown) => {
      this.#logger.warn({ stream: this.#actor.stream, error }, NOT_RECORDED)
      this.#refusal = error
      for (const reject of this.#commands) reject(error)
      this.#commands.clear()
    }
    return insist(decide, wish, refuse).finally(() => {
      this.#refusal = undefined
    })
  }

  /** Posts work that no caller awaits. If it cannot be recorded, the supervisor ends. */
  #post(work: () => Promise<void>): void {
    void this.mailbox.post(() => this.#guarded(work))
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (this.#isEnding) return
      this.#logger.error({ stream: this.#actor.stream, error }, 'a supervisor failed')
      await this.#end({ type: 'end', reason: 'escalated', id: '', restarts: 0, error: failureOf(error) })
    }
  }

  #moment() {
    const now = this.#clock.now()
    return { now, stamp: this.#stamps.now(), random: this.#environment.random() }
  }
}

type StartedFact = Extract<SupervisorFact, { type: 'ChildStarted' }>

const NOT_RECORDED = 'what happened to a child could not be recorded'

/** What made a start fail. */
export const causeOf = (error: unknown): unknown => (error instanceof Error && error.cause) || error

/** Whether a child could not be started because its agent was removed. */
export const isRemovedAgent = ({ starts }: ChildData, error: unknown): boolean =>
  starts === 'agent' && causeOf(error) instanceof AgentNotFoundError

/** Calls back in a later turn of the event loop. Returns the function that cancels it. */
function later(clock: Clock, fire: () => void): () => void {
  let isWanted = true
  soon(clock, () => isWanted && fire())
  return () => {
    isWanted = false
  }
}
