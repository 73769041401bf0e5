/**
 * The event-sourced actor: what lives in this system, whatever its kind.
 *
 *     decide (pure) -> facts -> append (durable) -> fold (pure) -> effects -> new facts
 *
 * Its state is never set, only folded from its facts. What should be going on follows from its state (`effects`); the
 * shell compares that with what is going on, starts what is missing and aborts what is no longer wanted. So a crash
 * needs no special path: folding the log gives the state, and the state says what to do.
 */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import type { Clock } from '../../clock.ts'
import type { NewFact, Recorded } from '../../events/envelope.ts'
import { InvalidFactError } from '../../events/errors/fact.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { streamName } from '../../events/ids.ts'
import type { Logger } from '../../logger.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { ActorDefinition, Effect, FactOfMachine } from './definition.ts'
import { type FoldedActor, foldStream, plainStateOf } from './fold-stream.ts'
import { type Inspection, type LiveMachine, liveMachine } from './live-machine.ts'
import { recordedState } from './recorded-state.ts'
import { type Perform, RunningEffects } from './running-effects.ts'
import { Turns } from './turns.ts'

/** What an actor needs of the world. */
export interface ActorEnvironment {
  readonly store: EventStore
  readonly clock: Clock
  readonly logger: Logger
  /** Hears XState's inspection events of every actor. */
  readonly inspect?: Inspection
}

/** Why facts are recorded, for those who ask the log later. */
export interface Causation {
  readonly correlationId?: string | null
  readonly causationId?: string | null
  /** Of each fact, where they have several causes. */
  readonly causationIds?: readonly string[]
  /** See {@link EventStore.append}: the same decision again writes nothing and returns what the first one wrote. */
  readonly commitId?: string
}

/** Something that is to be decided, and who waits for it. */
interface Waiting<M extends AnyStateMachine> {
  readonly decision: (snapshot: SnapshotFrom<M>) => readonly FactOfMachine<M>[]
  readonly origin: Causation
  resolve(recorded: readonly Recorded[]): void
  reject(error: unknown): void
}

/** A load folds at most so many facts, and an agent's task makes about four. */
const FACTS_BETWEEN_SNAPSHOTS = 100

export class EventSourcedActor<M extends AnyStateMachine, E extends Effect> {
  readonly stream: string
  /** The live XState actor: subscribe to it, `waitFor` it, inspect it. Only `decide` makes it move. */
  readonly machine: LiveMachine<M>
  readonly #definition: ActorDefinition<M, E>
  readonly #environment: ActorEnvironment
  readonly #observers = new Set<(recorded: Recorded, snapshot: SnapshotFrom<M>) => void>()
  #effects: RunningEffects<E> | undefined
  #version: number
  #savedVersion: number
  #saving: Promise<void> = Promise.resolve()
  readonly #turns = new Turns<Waiting<M>>(
    (turn) => this.#takeTurn(turn),
    // A commit id is that of one decision.
    ({ origin }) => origin.commitId !== undefined,
  )
  #crashed: (error: unknown) => void = () => {}
  #halted = false
  #closed = false

  private constructor(
    definition: ActorDefinition<M, E>,
    stream: string,
    environment: ActorEnvironment,
    loaded: FoldedActor<M>,
  ) {
    this.stream = stream
    this.#definition = definition
    this.#environment = environment
    this.#version = loaded.version
    this.#savedVersion = loaded.savedVersion
    this.machine = liveMachine(definition, stream, loaded.snapshot, environment.inspect)
  }

  /** Folds the actor's facts. It stands still until `start`: looking at an actor makes nothing happen. */
  static async load<M extends AnyStateMachine, E extends Effect>(
    definition: ActorDefinition<M, E>,
    id: string,
    environment: ActorEnvironment,
  ): Promise<EventSourcedActor<M, E>> {
    const stream = streamName(definition.kind, id)
    return new EventSourcedActor(
      definition,
      stream,
      environment,
      await foldStream(definition, environment.store, stream),
    )
  }

  get snapshot(): SnapshotFrom<M> {
    return this.machine.getSnapshot() as SnapshotFrom<M>
  }

  /** How many facts the state is made of. */
  get version(): number {
    return this.#version
  }

  /** Nothing can be decided any more: the process is about to end. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Lets the state have effects from now on. Those that it has already are resumed.
   *
   * @param crashed Told of an effect that failed, and is not tried again. Without it the actor goes on without that one.
   */
  start(perform: Perform<E>, crashed: (error: unknown) => void = () => {}): void {
    if (this.#effects || this.#closed) return
    this.#crashed = crashed
    this.#effects = new RunningEffects(perform, this.#environment, this.stream, crashed)
    this.#reconcile(true)
  }

  /** Calls back for every fact, after it was written and folded. Returns how to stop that. */
  observe(observer: (recorded: Recorded, snapshot: SnapshotFrom<M>) => void): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  /**
   * The only door. Decides on the state as it is when its turn has come, writes the facts down, then lets the machine
   * see them. All of the facts become true, or none. What waits meanwhile is then decided and written together.
   */
  decide(
    decision: (snapshot: SnapshotFrom<M>) => readonly FactOfMachine<M>[],
    origin: Causation = {},
  ): Promise<readonly Recorded[]> {
    return new Promise((resolve, reject) => this.#turns.wait({ decision, origin, resolve, reject }))
  }

  /** Lets an effect run again, if the state asks for it: something outside of the state has changed. */
  again(key: string): void {
    this.#effects?.again(key)
    this.#reconcile(false)
  }

  /** Resolves when the effects that go on now have come to their end. */
  async quiet(): Promise<void> {
    await this.#effects?.quiet()
  }

  /** Aborts the effects, and lets the state have none any more. Facts can still be decided. Resolves when they have ended. */
  async halt(): Promise<void> {
    this.#halted = true
    await this.#effects?.stop()
  }

  /**
   * Aborts the effects and waits until they have ended. The state, and so the log, stays as it is.
   *
   * @param atOnce Does not wait for effects that take their time to end: what they decide is refused.
   */
  async close({ atOnce = false }: { readonly atOnce?: boolean } = {}): Promise<void> {
    this.#closed = true
    if (atOnce) this.#effects?.abort()
    await Promise.all([this.#turns.over(), atOnce ? undefined : this.#effects?.stop()])
    await this.#saving
    this.machine.stop()
  }

  async #takeTurn(turn: readonly Waiting<M>[]): Promise<void> {
    const drafts: NewFact[] = []
    const decided: { readonly waiting: Waiting<M>; readonly from: number; readonly to: number }[] = []
    let foreseen = this.snapshot
    for (const waiting of turn) {
      try {
        if (this.#closed) throw new ClosedError({ what: `actor ${this.stream}` })
        const own = this.#drafts(waiting.decision(foreseen), waiting.origin)
        foreseen = this.#foresee(foreseen, own)
        decided.push({ waiting, from: drafts.length, to: drafts.push(...own) })
      } catch (error) {
        waiting.reject(error)
      }
    }
    try {
      const recorded =
        drafts.length === 0 ? [] : await this.#append(drafts, turn[0]?.origin.commitId, foreseen)
      // A commit that was made before may have had another number of facts.
      for (const { waiting, from, to } of decided)
        waiting.resolve(decided.length === 1 ? recorded : recorded.slice(from, to))
    } catch (error) {
      // What is wrong with one of them is no concern of the others.
      if (decided.length === 1) decided[0]?.waiting.reject(error)
      else for (const { waiting } of decided) await this.#takeTurn([waiting])
    }
  }

  #drafts(
    facts: readonly FactOfMachine<M>[],
    { correlationId = null, causationId = null, causationIds = [] }: Causation,
  ): NewFact[] {
    return facts.map((fact, index) => ({
      ...this.#definition.facts.write(fact),
      correlationId,
      causationId: causationIds[index] ?? causationId,
    }))
  }

  async #append(
    drafts: readonly NewFact[],
    commitId: string | undefined,
    foreseen: SnapshotFrom<M>,
  ): Promise<readonly Recorded[]> {
    const recorded = await this.#environment.store.append(this.stream, drafts, {
      expectedVersion: this.#version,
      ...(commitId === undefined ? {} : { commitId }),
      summary: recordedState(this.#definition, foreseen),
    })
    for (const one of recorded) if (one.version > this.#version) this.#see(one)
    this.#reconcile(false)
    const last = recorded.at(-1)
    const between = this.#definition.factsBetweenSnapshots?.(this.snapshot) ?? FACTS_BETWEEN_SNAPSHOTS
    if (last && this.#version - this.#savedVersion >= between) this.#saving = this.#save(last)
    return recorded
  }

  /** Saves time for the next load; that it fails is no concern of the actor's. */
  async #save({ version, id: factId }: Recorded): Promise<void> {
    if (version !== this.#version) return
    this.#savedVersion = version
    const { fingerprint } = this.#definition
    const { store, logger } = this.#environment
    try {
      await store.snapshots.save(this.stream, {
        version,
        factId,
        fingerprint,
        state: plainStateOf(this.snapshot),
      })
    } catch (error) {
      logger.warn({ stream: this.stream, error }, 'a snapshot could not be saved')
    }
  }

  /** The state after these facts, had they happened. A fact that would change nothing does not get into the log. */
  #foresee(from: SnapshotFrom<M>, facts: readonly NewFact[]): SnapshotFrom<M> {
    let snapshot = from
    for (const { type, data } of facts) {
      const fact = { type, data, id: '' }
      const next = this.#definition.live(snapshot, fact)
      if (next === undefined) {
        const state = JSON.stringify((snapshot as { value?: unknown }).value)
        throw new InvalidFactError({
          type: fact.type,
          problem: `${this.stream} does not expect it in state ${state}`,
        })
      }
      snapshot = next
    }
    return snapshot
  }

  #see(recorded: Recorded): void {
    this.machine.send(this.#definition.facts.read(recorded) as never)
    this.#version = recorded.version
    for (const observer of this.#observers) observer(recorded, this.snapshot)
  }

  #reconcile(resumed: boolean): void {
    if (this.#closed || this.#halted || !this.#effects) return
    try {
      this.#effects.reconcile(this.#definition.effects(this.snapshot), resumed)
    } catch (error) {
      // The facts are true all the same: whoever decided on them is not told otherwise.
      this.#environment.logger.error({ stream: this.stream, error }, 'the effects could not be told')
      this.#crashed(error)
    }
  }
}
