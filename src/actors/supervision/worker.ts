/** Does a supervisor's work, strictly in turn: starts its children, handles their exits, restarts and stops them. */
import type { Clock } from '../../clock.ts'
import type { SupervisionFailedError } from '../../events/errors/supervision.ts'
import type { ChildData } from '../../events/options/supervision.ts'
import type { SupervisorFact } from '../../events/supervisor-facts.ts'
import type { ActorEnvironment, EventSourcedActor } from '../engine/actor.ts'
import type { Effect } from '../engine/definition.ts'
import { type Exit, failureOf, type Supervised } from '../engine/exit.ts'
import { Mailbox } from '../engine/mailbox.ts'
import { inStartOrder } from './child-table.ts'
import {
  childExited,
  childStartFailed,
  type ExitDecision,
  isDue,
  type Next,
  restartedWith,
  stoppedForGood,
  stoppedWith,
} from './decisions.ts'
import type { supervisorMachine } from './machine.ts'
import { MonotonicStamps } from './monotonic-stamps.ts'
import { restartLeftMs } from './restart-intensity.ts'
import type { ChildState, SupervisorContext } from './state.ts'
import { type RunningChild, SupervisedChildren } from './supervised-children.ts'

export type SupervisorActor = EventSourcedActor<typeof supervisorMachine, Effect>

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

/** Why a supervisor ends by itself. */
export type End = Extract<Next, { type: 'end' }>

export class SupervisorWorker {
  readonly mailbox = new Mailbox()
  readonly children: SupervisedChildren
  readonly #actor: SupervisorActor
  readonly #environment: SupervisionEnvironment
  readonly #launch: (data: ChildData) => Supervised | Promise<Supervised>
  readonly #end: (end: End) => Promise<void>
  readonly #stamps: MonotonicStamps
  readonly #timers = new Map<string, () => void>()
  #recorded: Promise<unknown> = Promise.resolve()

  /**
   * @param launch Starts a child of any type.
   * @param end Called when the supervisor decides to end, with the children still running.
   */
  constructor(
    id: string,
    actor: SupervisorActor,
    environment: SupervisionEnvironment,
    launch: (data: ChildData) => Supervised | Promise<Supervised>,
    end: (end: End) => Promise<void>,
  ) {
    this.#actor = actor
    this.#environment = environment
    this.#launch = launch
    this.#end = end
    this.#stamps = new MonotonicStamps(this.#clock, actor.snapshot.context.stamps.at(-1) ?? 0)
    this.children = new SupervisedChildren(id, this.#clock, (running, exit) =>
      this.#post(() => this.#exited(running, exit)),
    )
  }

  /** The state once everything decided so far is durable. */
  async state(): Promise<SupervisorContext> {
    await this.#recorded
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
   */
  async startAll(): Promise<void> {
    const children = inStartOrder((await this.state()).children)
    const scheduled = children.filter(({ status, dueAt }) => status === 'restarting' && dueAt !== null)
    for (const { data, status } of children) {
      const waits = status === 'restarting' && scheduled.length > 0
      if (status !== 'stopped' && !waits) await this.start(data)
    }
    const { rules } = this.#actor.snapshot.context
    for (const child of scheduled)
      this.#arm(child.data.id, child.attempt, restartLeftMs(rules, child, this.#clock.now()))
    await this.#recorded
  }

  /** Starts one child. @param isNew Whether to record its specification. */
  async start(data: ChildData, isNew = false): Promise<void> {
    await this.children.start(data, () => this.#launch(data))
    const fact = { id: data.id, stamp: this.#stamps.now(), ...(isNew ? { child: data } : {}) }
    void this.record({ type: 'ChildStarted', data: fact })
  }

  /** Stops all children for good, in reverse order. */
  async stopAll(): Promise<void> {
    for (const cancel of this.#timers.values()) cancel()
    // It also ends if nothing can be recorded any more.
    await this.#recorded.catch(() => {})
    const { context } = this.#actor.snapshot
    await this.#stop(inStartOrder(context.children), (child, exit) => stoppedForGood(context, child, exit))
  }

  /** Stops one child for good, or cancels its restart. */
  async terminate(child: ChildState): Promise<void> {
    const { id } = child.data
    const context = await this.state()
    this.#timers.get(id)?.()
    if (child.status === 'restarting') {
      const isDynamic = context.rules?.strategy === 'dynamic'
      await this.record({ type: isDynamic ? 'ChildDeleted' : 'RestartCancelled', data: { id } })
    } else {
      await this.#stop([child], (_, exit) => stoppedForGood(context, child, exit))
      await this.#recorded
    }
  }

  get #clock(): Clock {
    return this.#environment.clock
  }

  async #exited(running: RunningChild, exit: Exit): Promise<void> {
    if (!this.children.take(running)) return
    const { id } = running.data
    const { next, facts } = await this.#decide((context) => childExited(context, id, exit, this.#moment()))
    const isRestarted = facts.some(({ type }) => type === 'RestartScheduled')
    await this.#perform(next)
    if (!isRestarted) running.child.released?.()
  }

  /** A scheduled restart is due. */
  async #restart(id: string, attempt: number): Promise<void> {
    if (!isDue(await this.state(), id, attempt)) return
    const children = restartedWith(await this.state(), id)
    for (const { data } of children) {
      try {
        if (!this.children.has(data.id)) await this.start(data)
      } catch (error) {
        if (this.#actor.closed || this.#environment.isClosing()) return
        const failure = failureOf(error instanceof Error && error.cause ? error.cause : error)
        const failed = (context: SupervisorContext) =>
          childStartFailed(context, data.id, failure, this.#moment())
        return this.#perform((await this.#decide(failed)).next)
      }
    }
    const restarted = children.map(({ data }) => data.id)
    await this.record({ type: 'ChildrenRestarted', data: { id, children: restarted } })
  }

  async #perform(next: Next): Promise<void> {
    if (next.type === 'end') return this.#end(next)
    if (next.type === 'continue') return
    const tied = restartedWith(await this.state(), next.id)
    await this.#stop(tied, stoppedWith)
    this.#arm(next.id, next.attempt, next.delayMs)
  }

  /** Stops the running ones among these children, in reverse order, each within its shutdown time. */
  async #stop(children: readonly ChildState[], fact: (child: ChildState, exit: Exit) => SupervisorFact) {
    for (const child of children.toReversed()) {
      const running = this.children.get(child.data.id)
      if (!running) continue
      const exit = await this.children.stop(child.data.id)
      const ended = fact(child, exit)
      if (
        ended.type === 'ChildExited' &&
        ended.data.becomes !== 'restarted' &&
        !this.#environment.isClosing()
      )
        running.released?.()
      void this.record(ended)
    }
  }

  /** Restarts by way of the mailbox, so that commands to stop the child or the supervisor come first. */
  #arm(id: string, attempt: number, delayMs: number): void {
    const restart = () => this.#post(() => this.#restart(id, attempt))
    if (delayMs <= 0) {
      restart()
      return
    }
    const cancel = this.#clock.after(delayMs, () => {
      this.#timers.delete(id)
      restart()
    })
    this.#timers.get(id)?.()
    this.#timers.set(id, () => {
      cancel()
      this.#timers.delete(id)
    })
  }

  /** Decides on the state and records the facts. */
  async #decide(decision: (context: SupervisorContext) => ExitDecision): Promise<ExitDecision> {
    let decided: ExitDecision | undefined
    await this.#actor.decide(({ context }) => {
      decided = decision(context)
      return decided.facts
    })
    return decided as unknown as ExitDecision
  }

  /** Posts work that no caller awaits. If it cannot be recorded, the supervisor ends. */
  #post(work: () => Promise<void>): void {
    this.mailbox.post(work).catch((error) => {
      if (this.#actor.closed || this.#environment.isClosing()) return
      this.#environment.logger.error({ stream: this.#actor.stream, error }, 'a supervisor failed')
      void this.#end({ type: 'end', reason: 'escalated', id: '', restarts: 0, error: failureOf(error) })
    })
  }

  #moment() {
    const now = this.#clock.now()
    return { now, stamp: this.#stamps.now(), random: this.#environment.random() }
  }
}
