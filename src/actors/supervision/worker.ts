/** What a supervisor does, one thing after the other: starts its children, hears of their ends, restarts them, ends them. */
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
import type { ChildState, SupervisorContext } from './state.ts'
import { type RunningChild, SupervisedChildren } from './supervised-children.ts'

export type SupervisorActor = EventSourcedActor<typeof supervisorMachine, Effect>

/** What a supervisor needs of the world. */
export interface SupervisionEnvironment extends ActorEnvironment {
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  /** Runs an agent for a supervisor. */
  readonly startAgent: (agent: string, supervisor: string) => Promise<Supervised>
  /** A tree has come to its end because of too many restarts, and nobody is above it. */
  readonly failed: (error: SupervisionFailedError, ended: Promise<void>) => void
  /** The process is about to end: nothing is decided any more, as the next one goes on with the tree. */
  readonly isClosing: () => boolean
}

/** How a supervisor came to its end by itself. */
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
   * @param launch Starts a child, whatever it is.
   * @param end It has decided to end itself; called with the children still running.
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

  /** What is known, once all that was decided is written down. */
  async state(): Promise<SupervisorContext> {
    await this.#recorded
    return this.#actor.snapshot.context
  }

  /** Writes facts down. Whoever does not wait for it has them written with those of others. */
  record(...facts: SupervisorFact[]): Promise<unknown> {
    if (this.#environment.isClosing()) return Promise.resolve()
    const recording = this.#actor.decide(() => facts)
    this.#recorded = recording
    recording.catch(() => {})
    return recording
  }

  /**
   * Starts what should run, left to right. A restart that an earlier process had scheduled is waited for, and what hangs
   * on it waits as well. Throws ChildStartError, with the children that were started before still running.
   */
  async startAll(): Promise<void> {
    const children = inStartOrder((await this.state()).children)
    const scheduled = children.filter(({ status, dueAt }) => status === 'restarting' && dueAt !== null)
    for (const { data, status } of children) {
      const waits = status === 'restarting' && scheduled.length > 0
      if (status !== 'stopped' && !waits) await this.start(data)
    }
    for (const { data, dueAt, attempt } of scheduled)
      this.#arm(data.id, attempt, Date.parse(dueAt ?? '') - this.#clock.now())
    await this.#recorded
  }

  /** Starts one child. @param isNew It is written down with its specification. */
  async start(data: ChildData, isNew = false): Promise<void> {
    await this.children.start(data, () => this.#launch(data))
    const fact = { id: data.id, stamp: this.#stamps.now(), ...(isNew ? { child: data } : {}) }
    void this.record({ type: 'ChildStarted', data: fact })
  }

  /** Ends all children for good, right to left. */
  async stopAll(): Promise<void> {
    for (const cancel of this.#timers.values()) cancel()
    // It comes to its end also where that cannot be written down.
    await this.#recorded.catch(() => {})
    const { context } = this.#actor.snapshot
    await this.#stop(inStartOrder(context.children), (child, exit) => stoppedForGood(context, child, exit))
  }

  /** Ends one child for good, or calls its restart off. */
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
    const { next, facts } = await this.#judge((context) => childExited(context, id, exit, this.#moment()))
    const isRestarted = facts.some(({ type }) => type === 'RestartScheduled')
    await this.#go(next)
    if (!isRestarted) running.child.released?.()
  }

  /** The restart that was scheduled is due. */
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
        return this.#go((await this.#judge(failed)).next)
      }
    }
    const restarted = children.map(({ data }) => data.id)
    await this.record({ type: 'ChildrenRestarted', data: { id, children: restarted } })
  }

  async #go(next: Next): Promise<void> {
    if (next.type === 'end') return this.#end(next)
    if (next.type === 'go on') return
    const tied = restartedWith(await this.state(), next.id)
    await this.#stop(tied, stoppedWith)
    this.#arm(next.id, next.attempt, next.delayMs)
  }

  /** Ends those that run, right to left, each in its time. */
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

  /** Leaves control in between, so that whoever wants to end the child, or the supervisor, comes first. */
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

  /** Decides, writes down, and says what is to be done. */
  async #judge(decision: (context: SupervisorContext) => ExitDecision): Promise<ExitDecision> {
    let verdict: ExitDecision | undefined
    await this.#actor.decide(({ context }) => {
      verdict = decision(context)
      return verdict.facts
    })
    return verdict as unknown as ExitDecision
  }

  /** Something to be done that nobody waits for. What cannot be written down cannot be answered for: it ends. */
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
