/**
 * The event-sourced actor: agents, runs, supervisors, budgets and users' own actors are all one of these.
 *
 *     decide (pure) -> facts -> append (durable) -> fold (pure) -> effects -> new facts
 *
 * Invariants:
 *
 * - I1. State is folded from facts and never set; `decide` is the only way to add a fact.
 * - I2. A fact is durable before the machine, an observer or the caller sees it.
 * - I3. Decisions are taken in the order of their calls, each on the state that the earlier ones lead to. The facts of
 *   one decision are appended all or not at all, also those of two actors that decide together.
 * - I4. A fact that the state does not expect never reaches the log.
 * - I5. Effects follow from state: after each append, missing effects start and unwanted ones are aborted. So a crash
 *   needs no path of its own: folding the log gives the state, and the state says what to run.
 * - I6. Loading and closing add no fact.
 * - I7. Another writer to the stream ends the actor: its effects end at once, and it decides nothing more. Its owner, a
 *   `Life`, folds the facts afresh.
 */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import type { Clock } from '../../clock.ts'
import type { NewFact, Recorded } from '../../events/envelope.ts'
import { InvalidFactError } from '../../events/errors/fact.ts'
import { Fenced, VersionConflict } from '../../events/errors/store.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { streamName } from '../../events/ids.ts'
import { callListener } from '../../events/listener.ts'
import type { Logger } from '../../logger.ts'
import type { EventStore, StreamAppend } from '../../store/event-store.ts'
import type { ActorDefinition, Effect, FactOfMachine } from './definition.ts'
import { type Perform, RunningEffects } from './effects.ts'
import { savedState } from './fold.ts'
import { type FoldedActor, foldStream, recordedState } from './history.ts'
import { type Inspection, type LiveMachine, liveMachine } from './live-machine.ts'
import { Part } from './part.ts'
import { insist, mayPass, Wish } from './wish.ts'

/** What an actor needs from the world. */
export interface ActorEnvironment {
  readonly store: EventStore
  readonly clock: Clock
  readonly logger: Logger
  /** Whether other processes write to the log as well: what is lost to them is no news. Default: false. */
  readonly isShared?: boolean
  /** Receives XState's inspection events of every actor. */
  readonly inspect?: Inspection
}

/** Why facts are recorded. */
export interface Causation {
  readonly correlationId?: string | null
  readonly causationId?: string | null
  /** One for each fact, where their causes differ. */
  readonly causationIds?: readonly string[]
  /** The facts after the first are caused by it, and belong to this. */
  readonly consequences?: string
  /** See {@link EventStore.append}: a decision repeated under this id writes nothing and returns what the first one wrote. */
  readonly commitId?: string
  /** The commit id was made just now: no earlier decision can have it. */
  readonly isNew?: boolean
  /** What an effect has found out at its end: still recorded while a closing actor waits for that effect. */
  readonly whileClosing?: boolean
}

/** Hears of each fact once it is durable and folded. */
export type FactObserver<M extends AnyStateMachine> = (recorded: Recorded, snapshot: SnapshotFrom<M>) => void

/** Who holds an actor. */
export interface ActorOwner<M extends AnyStateMachine, E extends Effect> {
  /** May be more or fewer at any time. */
  readonly observers: ReadonlySet<FactObserver<M>>
  /** Called once it is lost. */
  readonly left: (actor: EventSourcedActor<M, E>) => void
}

export type Decision<M extends AnyStateMachine> = (snapshot: SnapshotFrom<M>) => readonly FactOfMachine<M>[]

/** A decision that waits for its turn. */
interface Waiting<M extends AnyStateMachine> {
  readonly decision: Decision<M>
  readonly origin: Causation
  /** The decision of another actor that is taken together with it. */
  readonly part: Part | undefined
  /** It shared an append that failed: it is taken again, alone. */
  isAlone: boolean
  resolve(recorded: readonly Recorded[]): void
  reject(error: unknown): void
}

/** A decision of one turn, and where its facts are among those of the turn. */
interface Decided<M extends AnyStateMachine> {
  readonly waiting: Waiting<M>
  readonly from: number
  readonly to: number
}

/** What another actor has decided together with one of these. */
interface Joined {
  readonly part: Part
  readonly append: StreamAppend
}

/** Resolved already: what waits for it runs in the next microtask, and costs less than `queueMicrotask`. */
const NOW = Promise.resolve()

/** Bounds how many facts a load folds. An agent's task makes about three. */
const FACTS_BETWEEN_SNAPSHOTS = 50
/** From this number on, folding them once more costs more than the snapshot that a closing actor saves. */
const FACTS_WORTH_A_SNAPSHOT = 10

export class EventSourcedActor<M extends AnyStateMachine, E extends Effect> {
  readonly stream: string
  readonly #definition: ActorDefinition<M, E>
  readonly #environment: ActorEnvironment
  readonly #waiting: (Waiting<M> | Part)[] = []
  #isDeciding = false
  /** Called when it decides nothing any more. */
  readonly #whenFree: (() => void)[] = []
  #effects: RunningEffects<E> | undefined
  /** Wanted until the actor closes. It is not the `Life` that owns the actor. */
  readonly #life: Wish
  #crashed: (error: unknown) => void = () => {}
  readonly #owner: ActorOwner<M, E> | undefined
  #lost: VersionConflict | Fenced | undefined
  #snapshot: SnapshotFrom<M>
  #machine: LiveMachine<M> | undefined
  #version: number
  #savedVersion: number
  /** The id of the last fact that was appended here. */
  #lastId: string | undefined
  #saving: Promise<void> = Promise.resolve()
  #halted = false
  #closed = false
  /** No effect is waited for any more. */
  #ended = false
  #isStopped = false

  /** @param loaded What its facts were folded to. */
  constructor(
    definition: ActorDefinition<M, E>,
    id: string,
    environment: ActorEnvironment,
    loaded: FoldedActor<M>,
    owner?: ActorOwner<M, E>,
  ) {
    this.stream = streamName(definition.kind, id)
    this.#owner = owner
    this.#definition = definition
    this.#environment = environment
    this.#version = loaded.version
    this.#savedVersion = loaded.savedVersion
    this.#life = new Wish(environment.clock)
    this.#snapshot = loaded.snapshot
    if (environment.inspect) void this.machine
  }

  /** Folds the actor's facts. No effect runs until `start`. */
  static async load<M extends AnyStateMachine, E extends Effect>(
    definition: ActorDefinition<M, E>,
    id: string,
    environment: ActorEnvironment,
    owner?: ActorOwner<M, E>,
  ): Promise<EventSourcedActor<M, E>> {
    const folded = await foldStream(definition, environment.store, streamName(definition.kind, id))
    return new EventSourcedActor(definition, id, environment, folded, owner)
  }

  get snapshot(): SnapshotFrom<M> {
    return this.#snapshot
  }

  /**
   * The live XState actor: subscribe to it, `waitFor` it, inspect it. Only `decide` sends it events. Made when it is first
   * asked for.
   */
  get machine(): LiveMachine<M> {
    if (this.#machine) return this.#machine
    const { fold } = this.#definition
    const machine = liveMachine(fold, this.stream, () => this.#snapshot, this.#environment.inspect)
    if (this.#isStopped) machine.stop()
    this.#machine = machine
    return machine
  }

  /** The number of facts folded into the state. */
  get version(): number {
    return this.#version
  }

  /** What it was folded to, for another one to continue from. */
  get folded(): FoldedActor<M> {
    return { snapshot: this.#snapshot, version: this.#version, savedVersion: this.#savedVersion }
  }

  /** Whether it decides nothing now, and no effect runs. */
  get isIdle(): boolean {
    return !this.#isDeciding && !this.#effects?.isRunning
  }

  /** Whether decisions are refused. */
  get closed(): boolean {
    return this.#closed
  }

  /** Why it was lost: something else has written to the stream. */
  get lost(): VersionConflict | Fenced | undefined {
    return this.#lost
  }

  /**
   * Runs the effects of the state from now on. Those it already has are resumed.
   *
   * @param crashed Called when an effect failed permanently. The actor itself continues without that effect.
   */
  start(perform: Perform<E>, crashed: (error: unknown) => void = () => {}): void {
    if (this.#effects || this.#closed) return
    this.#crashed = crashed
    this.#effects = new RunningEffects(perform, this.#environment, this.stream, crashed)
    this.#reconcile(true)
  }

  /**
   * Decides on the state, appends the facts, then lets the machine see them. Resolves when they are durable. Decisions
   * that arrive during an append are taken together and share the next one.
   *
   * @param decision Throwing writes nothing. *Contract:* may be called more than once: if an append that it shared with others
   * fails, it is taken again alone.
   * @param part A decision of another actor, whose facts are appended in the same append, all or nothing.
   */
  decide(decision: Decision<M>, origin: Causation = {}, part?: Part): Promise<readonly Recorded[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ decision, origin, part, isAlone: false, resolve, reject })
      if (this.#isDeciding) return
      this.#isDeciding = true
      // It returns before the decision is taken.
      this.#nextLater()
    })
  }

  /**
   * A decision of this actor that another one takes together with its own. *Contract:* it is passed to `decide` of the other
   * one at once, so that all actors come to their common decisions in one order, and none waits for another for ever.
   */
  join(decision: Decision<M>, origin: Causation & { readonly isFirst: boolean }): Part {
    const part = new Part(this.stream, origin.isFirst, {
      version: () => this.#version,
      take: (cause) => {
        this.#assertOpen(origin)
        const facts = this.#drafts(decision(this.#snapshot), origin, cause)
        return this.#appendOf(facts, origin, this.#foresee(this.#snapshot, facts))
      },
      see: (recorded) => this.#see(recorded),
      fail: (error) => this.#loseBy(error),
    })
    this.#waiting.push(part)
    if (!this.#isDeciding) {
      this.#isDeciding = true
      this.#next()
    }
    return part
  }

  /** Whether it carries out its effects. */
  get isWorking(): boolean {
    return this.#effects !== undefined && !this.#halted && !this.#closed
  }

  /**
   * Does work that writes to the log, and does it again as long as its failure may pass, such as that of a full disk. Does it
   * once more when the actor closes, as there may be room by then, and rejects with the failure before if that fails as well.
   */
  insist<T>(work: () => Promise<T>): Promise<T> {
    const warn = (error: unknown) =>
      this.#environment.logger.warn({ stream: this.stream, error }, 'a write is tried again')
    return insist(work, this.#life, warn).catch((error) => {
      if (this.#life.isWanted || !mayPass(error)) throw error
      return work().catch(() => {
        throw error
      })
    })
  }

  /** Runs a wanted effect again, because something outside the state has changed. */
  again(key: string): void {
    this.#effects?.again(key)
    this.#reconcile(false)
  }

  /** Resolves when the effects that run now have ended. */
  async quiet(): Promise<void> {
    await this.#effects?.quiet()
  }

  /** Aborts the effects and starts no more. Decisions are still taken. Resolves when the effects have ended. */
  async halt(): Promise<void> {
    this.#halted = true
    await this.#effects?.stop()
  }

  /**
   * Aborts the effects, refuses decisions, and waits for both to end.
   *
   * @param atOnce Does not wait for the effects; what they decide is refused.
   * @param insists What an effect has to write at its end is tried again until it is written: the process stays.
   */
  async close({
    atOnce = false,
    insists = false,
  }: {
    readonly atOnce?: boolean
    readonly insists?: boolean
  } = {}): Promise<void> {
    this.#closed = true
    if (!insists) this.#life.abort()
    this.#ended = atOnce
    if (atOnce) this.#effects?.abort()
    await Promise.all([this.#free(), atOnce ? undefined : this.#effects?.stop()])
    this.#ended = true
    this.#life.abort()
    if (!atOnce && !this.#lost) this.#saveFrom(FACTS_WORTH_A_SNAPSHOT)
    await this.#saving
    this.#stop()
  }

  /** Takes the next turn, at whose end it is called again. */
  readonly #next = (): void => {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#isDeciding = false
      for (const free of this.#whenFree.splice(0)) free()
    } else if (next instanceof Part) {
      this.#waiting.shift()
      next.begin(this.#nextLater)
    }
    // Waits only for the part of the first decision, which is the earliest of all that wait here: see `join`.
    else if (next.part && !next.part.isReady) next.part.whenReady(this.#nextLater)
    else void this.#takeTurn(this.#nextTurn())
  }

  /** In the next microtask: what else runs now may decide as well, and share the append. */
  readonly #nextLater = (): void => void NOW.then(this.#next)

  /** Resolves when it decides nothing. */
  async #free(): Promise<void> {
    if (this.#isDeciding) await new Promise<void>((resolve) => this.#whenFree.push(resolve))
  }

  /** The waiting decisions that share the next append. A commit id names one decision, so that one is alone. */
  #nextTurn(): Waiting<M>[] {
    const turn: Waiting<M>[] = []
    for (const next of this.#waiting) {
      if (next instanceof Part || (next.part && !next.part.isReady)) break
      const isAlone = next.isAlone || next.origin.commitId !== undefined
      if (turn.length > 0 && isAlone) break
      turn.push(next)
      if (isAlone) break
    }
    this.#waiting.splice(0, turn.length)
    return turn
  }

  #assertOpen({ whileClosing = false }: Causation): void {
    if (whileClosing ? this.#ended : this.#closed)
      throw this.#lost ?? new ClosedError({ what: `actor ${this.stream}` })
  }

  async #takeTurn(turn: readonly Waiting<M>[]): Promise<void> {
    const drafts: NewFact[] = []
    const decided: Decided<M>[] = []
    const joined: Joined[] = []
    let foreseen = this.#snapshot
    for (const waiting of turn) {
      const { decision, origin, part } = waiting
      try {
        this.#assertOpen(origin)
        const first = part?.isFirst ? part.take(undefined) : undefined
        const isIdle = first?.facts.length === 0
        const own = isIdle ? [] : this.#drafts(decision(foreseen), origin, first?.facts.at(-1))
        const next = this.#foresee(foreseen, own)
        if (part) joined.push({ part, append: first ?? part.take(own.at(-1)) })
        foreseen = next
        decided.push({ waiting, from: drafts.length, to: drafts.push(...own) })
      } catch (error) {
        waiting.reject(error)
        part?.fail(error)
      }
    }
    try {
      const nothing: StreamAppend = { stream: this.stream, facts: drafts }
      const own = drafts.length === 0 ? nothing : this.#appendOf(drafts, turn[0]?.origin, foreseen)
      const recorded = await this.#append(own, joined)
      // A repeated commit may have had another number of facts.
      for (const { waiting, from, to } of decided)
        waiting.resolve(decided.length === 1 ? recorded : recorded.slice(from, to))
    } catch (error) {
      this.#takeAgain(
        decided.map(({ waiting }) => waiting),
        error,
      )
    }
    if (this.#waiting.length === 0) this.#next()
    else this.#nextLater()
  }

  /** Decisions whose append has failed are taken again, each alone: one that is invalid must not fail the others. */
  #takeAgain(turn: readonly Waiting<M>[], error: unknown): void {
    this.#loseBy(error)
    if (turn.length > 1 && !this.#lost) {
      for (const waiting of turn) waiting.isAlone = true
      this.#waiting.unshift(...turn)
      return
    }
    for (const { reject, part } of turn) {
      reject(error)
      part?.fail(error)
    }
  }

  /** Of two actors that decide together, only one may be lost. */
  #loseBy(error: unknown): void {
    if (!(error instanceof VersionConflict || error instanceof Fenced)) return
    if (error.details.stream === this.stream) this.lose(error)
  }

  /** The state is not that of the log any more. Effects hear of it before their decisions are rejected. */
  lose(error: VersionConflict | Fenced): void {
    if (this.#lost) return
    this.#lost = error
    this.#closed = true
    this.#ended = true
    this.#life.abort()
    this.#effects?.abort()
    // One without effects may be that of a process which only looks on.
    const { logger, isShared = false } = this.#environment
    if (this.#effects)
      logger[isShared ? 'info' : 'warn'](
        { stream: this.stream, error },
        'something else has written to this stream',
      )
    this.#owner?.left(this)
    this.#stop()
  }

  #stop(): void {
    this.#isStopped = true
    this.#machine?.stop()
  }

  #drafts(
    facts: readonly FactOfMachine<M>[],
    { correlationId = null, causationId = null, causationIds, consequences }: Causation,
    cause: NewFact | undefined,
  ): NewFact[] {
    const drafts: NewFact[] = []
    for (const fact of facts) {
      const { type, v, data } = this.#definition.facts.write(fact)
      const isConsequence = consequences !== undefined && drafts.length > 0
      drafts.push({
        type,
        v,
        data,
        correlationId: isConsequence ? consequences : correlationId,
        causationId: (isConsequence ? drafts[0] : cause) ?? causationIds?.[drafts.length] ?? causationId,
      })
    }
    return drafts
  }

  /** The state that these facts would lead to. Throws InvalidFactError for one that the state does not expect. */
  #foresee(from: SnapshotFrom<M>, facts: readonly NewFact[]): SnapshotFrom<M> {
    let snapshot = from
    for (const { type, data } of facts) {
      const fact = { type, data, id: '' }
      let next: SnapshotFrom<M> | undefined
      try {
        next = this.#definition.live(snapshot, fact)
      } catch (cause) {
        const problem = `the fold of ${this.stream} (now at version ${this.#version}) failed: ${(cause as Error).message}`
        throw new InvalidFactError({ type, problem }, { cause })
      }
      if (next === undefined) {
        const state = JSON.stringify((snapshot as { value?: unknown }).value)
        throw new InvalidFactError({ type, problem: `${this.stream} does not expect it in state ${state}` })
      }
      snapshot = next
    }
    return snapshot
  }

  #appendOf(
    facts: readonly NewFact[],
    { commitId, isNew = false }: Causation = {},
    foreseen: SnapshotFrom<M>,
  ): StreamAppend {
    const { stream } = this
    const summary = recordedState(this.#definition, foreseen)
    const append = { stream, facts, expectedVersion: this.#version, summary }
    return commitId === undefined ? append : { commitId, isNew, ...append }
  }

  /** Appends the facts of a turn, those of other actors included, and lets all of them see theirs. */
  async #append(own: StreamAppend, joined: readonly Joined[]): Promise<readonly Recorded[]> {
    const { store } = this.#environment
    if (joined.length === 0) {
      const recorded = own.facts.length === 0 ? [] : await store.append(own.stream, own.facts, own)
      this.#see(recorded)
      return recorded
    }
    const causes: StreamAppend[] = []
    const consequences: StreamAppend[] = []
    for (const { part, append } of joined) (part.isFirst ? causes : consequences).push(append)
    const appends = [...causes, own, ...consequences].filter(({ facts }) => facts.length > 0)
    const byStream = new Map<string | undefined, readonly Recorded[]>()
    for (const recorded of await store.appendAll(appends)) byStream.set(recorded[0]?.stream, recorded)
    const ownRecorded = byStream.get(this.stream) ?? []
    this.#see(ownRecorded)
    for (const { part } of joined) part.see(byStream.get(part.stream) ?? [])
    return ownRecorded
  }

  /** Folds what was appended, and runs the effects of the new state. */
  #see(recorded: readonly Recorded[]): void {
    if (recorded.length === 0) return
    for (const one of recorded) {
      const { stream, version } = one
      // A repeated commit may come after facts of another writer.
      if (version > this.#version + 1) {
        this.lose(new VersionConflict({ stream, expected: this.#version, actual: version - 1 }))
        return
      }
      if (version > this.#version) this.#fold(one)
    }
    this.#reconcile(false)
    this.#saveFrom(this.#definition.factsBetweenSnapshots?.(this.#snapshot) ?? FACTS_BETWEEN_SNAPSHOTS)
  }

  #fold(recorded: Recorded): void {
    const fact = this.#definition.facts.read(recorded)
    this.#snapshot = this.#definition.live(this.#snapshot, fact) ?? this.#snapshot
    this.#version = recorded.version
    this.#lastId = recorded.id
    this.#machine?.send(fact as never)
    for (const observer of this.#owner?.observers ?? []) callListener(observer, recorded, this.#snapshot)
  }

  #reconcile(resumed: boolean): void {
    if (this.#closed || this.#halted || !this.#effects) return
    try {
      this.#effects.reconcile(this.#definition.effects(this.#snapshot), resumed)
    } catch (error) {
      // The facts are durable: their caller must not see this as a failed decision.
      this.#environment.logger.error({ stream: this.stream, error }, 'the effects could not be computed')
      this.#crashed(error)
    }
  }

  /** Saves a snapshot if at least this many facts came after the last one. */
  #saveFrom(facts: number): void {
    if (this.#lastId !== undefined && this.#version - this.#savedVersion >= facts)
      this.#saving = this.#save(this.#version, this.#lastId)
  }

  /** A snapshot only makes the next load faster, so a failure is not the actor's. */
  async #save(version: number, factId: string): Promise<void> {
    this.#savedVersion = version
    const { fingerprint } = this.#definition
    const { store, logger } = this.#environment
    try {
      await store.snapshots.save(this.stream, {
        version,
        factId,
        fingerprint,
        state: savedState(this.#snapshot),
      })
    } catch (error) {
      logger.warn({ stream: this.stream, error }, 'a snapshot could not be saved')
    }
  }
}
