/**
 * The life of an actor: loaded once, started, halted, loaded again, closed. Its owner holds the life, and never the actor
 * that is behind it at the moment: one that is lost is dropped, and the next use folds the facts afresh.
 */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import type { Recorded } from '../../events/envelope.ts'
import { VersionConflict } from '../../events/errors/store.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { streamName } from '../../events/ids.ts'
import { callListener } from '../../events/listener.ts'
import {
  type ActorEnvironment,
  type ActorOwner,
  type Causation,
  type Decision,
  EventSourcedActor,
  type FactObserver,
} from './actor.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import type { Perform } from './effects.ts'
import type { FoldedActor } from './history.ts'
import type { Part } from './part.ts'

/** What can decide: a life, or one actor, whose decisions end with it. */
export type Decides<M extends AnyStateMachine> = Pick<EventSourcedActor<M, Effect>, 'decide'>

export class Life<M extends AnyStateMachine, E extends Effect> {
  readonly stream: string
  readonly #definition: ActorDefinition<M, E>
  readonly #id: string
  readonly #environment: ActorEnvironment
  readonly #observers = new Set<FactObserver<M>>()
  readonly #owner: ActorOwner<M, E> = { observers: this.#observers, left: (actor) => this.#drop(actor) }
  /** The actor of now, or the last one; undefined while it rests. */
  #actor: EventSourcedActor<M, E> | undefined
  /** What it rests on. */
  #rested: FoldedActor<M> | undefined
  #loading: Promise<EventSourcedActor<M, E>> | undefined
  #starting: ((actor: EventSourcedActor<M, E>) => unknown) | undefined
  #isHalted = false
  #closed = false
  /** Called when it is lost and no use has folded it afresh. */
  lost: (error: unknown) => void = () => {}
  /** Called when an actor is in memory. */
  woken: () => void = () => {}

  constructor(definition: ActorDefinition<M, E>, id: string, environment: ActorEnvironment) {
    this.stream = streamName(definition.kind, id)
    this.#definition = definition
    this.#id = id
    this.#environment = environment
  }

  /** A life whose facts are folded. */
  static async load<M extends AnyStateMachine, E extends Effect>(
    definition: ActorDefinition<M, E>,
    id: string,
    environment: ActorEnvironment,
  ): Promise<Life<M, E>> {
    const life = new Life(definition, id, environment)
    await life.use()
    return life
  }

  /** A life that is only beginning: its id was made just now, so there are no facts to load. */
  static begin<M extends AnyStateMachine, E extends Effect>(
    definition: ActorDefinition<M, E>,
    id: string,
    environment: ActorEnvironment,
  ): Life<M, E> {
    const life = new Life(definition, id, environment)
    life.#rested = { snapshot: definition.fold.initial, version: 0, savedVersion: 0 }
    life.#wake()
    return life
  }

  /** The state, or the last one that is known. */
  get snapshot(): SnapshotFrom<M> {
    return (this.#actor ?? this.#rested)?.snapshot ?? this.#definition.fold.initial
  }

  /** The number of facts folded into the state. */
  get version(): number {
    return (this.#actor ?? this.#rested)?.version ?? 0
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether something else writes to the stream, and nothing has used it here since. */
  get isLost(): boolean {
    return this.#actor?.lost !== undefined && !this.#loading
  }

  /** Whether its actor does nothing now, and is not being loaded. */
  get isIdle(): boolean {
    return !this.#closed && this.current?.isIdle === true
  }

  /** The live XState actor. Another one after it has rested, or after the facts are folded afresh. */
  get machine(): EventSourcedActor<M, E>['machine'] {
    if (!this.#closed) this.#wake()
    if (!this.#actor) throw new ClosedError({ what: `actor ${this.stream}` })
    return this.#actor.machine
  }

  /** The actor, loaded if necessary. Throws whatever loading throws. */
  async use(): Promise<EventSourcedActor<M, E>> {
    return this.current ?? this.#loading ?? this.#load(() => undefined)
  }

  /** The actor, if it need not be loaded. */
  get current(): EventSourcedActor<M, E> | undefined {
    return this.#loading || this.#actor?.lost ? undefined : this.#actor
  }

  /**
   * See {@link EventSourcedActor.decide}. Taken again on the new state if something else was appended first, except together
   * with another actor.
   */
  async decide(decision: Decision<M>, origin?: Causation, part?: Part): Promise<readonly Recorded[]> {
    for (;;) {
      const actor = this.current ?? (part ? this.#without(part) : await this.use())
      try {
        return await actor.decide(decision, origin, part)
      } catch (error) {
        if (part || !(error instanceof VersionConflict) || error !== actor.lost) throw error
        if ((await this.use()).version === actor.version) throw error
      }
    }
  }

  /** Folds the facts afresh if something else has written to the stream. Returns whether something had. */
  async refresh(): Promise<boolean> {
    const actor = await this.use()
    const head = await this.#environment.store.head(this.stream)
    // What is being written here is folded first.
    if (head > actor.version) await actor.decide(() => []).catch(() => {})
    if (head <= actor.version || actor.closed) return actor.lost !== undefined
    actor.lose(new VersionConflict({ stream: this.stream, expected: actor.version, actual: head }))
    await this.use()
    return true
  }

  /** See {@link EventSourcedActor.insist}. Work that ends with an actor is done again with the next one. */
  async insist<T>(work: () => Promise<T>): Promise<T> {
    const actor = await this.use()
    try {
      return await actor.insist(work)
    } catch (error) {
      if (actor === this.#actor && !this.#loading && !(actor.lost instanceof VersionConflict)) throw error
      return this.insist(work)
    }
  }

  /** Calls back for each fact once it is durable and folded. Returns the function that stops observing. */
  observe(observer: FactObserver<M>): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  /**
   * Runs the effects of the state from now on.
   *
   * @param perform Makes what carries out the effects of one actor: it decides by that actor, so that it ends with it.
   * @param crashed Called when an effect failed permanently. The actor itself continues without that effect.
   */
  start(
    perform: (actor: EventSourcedActor<M, E>) => Perform<E>,
    crashed: (error: unknown) => void = () => {},
  ): void {
    this.#starting = (actor) => this.#isHalted || actor.start(perform(actor), crashed)
    if (this.current) this.#starting(this.current)
  }

  /** See {@link EventSourcedActor.again}. */
  again(key: string): void {
    this.#actor?.again(key)
  }

  /** Resolves when no effect runs and no actor is being loaded. */
  async quiet(): Promise<void> {
    await this.#loading?.catch(() => {})
    await this.#actor?.quiet()
  }

  /** Aborts the effects and starts no more. Decisions are still taken. Resolves when the effects have ended. */
  async halt(): Promise<void> {
    this.#isHalted = true
    await this.#actor?.halt()
  }

  /** Closes the actor and loads it again, to be started again; what is decided meanwhile waits. See {@link close}. */
  async reload(options: { readonly atOnce?: boolean; readonly insists?: boolean } = {}): Promise<void> {
    const before = this.#actor
    this.#starting = undefined
    this.#isHalted = false
    await this.#load(() => before?.close(options))
  }

  /** Evicts an idle actor from memory: the next use loads it again. Its state stays, as the last one that is known. */
  rest(): void {
    const actor = this.#actor
    if (!actor || !this.isIdle) return
    const folded = actor.folded
    this.#rested = folded
    this.#actor = undefined
    void actor.close().then(() => {
      // It may have saved a snapshot, which the next one need not save again.
      if (this.#rested === folded) this.#rested = actor.folded
    })
  }

  /** See {@link EventSourcedActor.close}. */
  async close(options: { readonly atOnce?: boolean } = {}): Promise<void> {
    this.#closed = true
    await this.#loading?.catch(() => {})
    await this.#actor?.close(options)
  }

  /** The other actor waits for this one: it must not wait for a load. */
  #without(part: Part): never {
    const problem = this.#actor?.lost ?? new ClosedError({ what: `actor ${this.stream}` })
    part.fail(problem)
    throw problem
  }

  #load(before: () => Promise<void> | undefined): Promise<EventSourcedActor<M, E>> {
    const loading = this.#loaded(before).finally(() => {
      if (this.#loading === loading) this.#loading = undefined
    })
    this.#loading = loading
    return loading
  }

  async #loaded(before: () => Promise<void> | undefined): Promise<EventSourcedActor<M, E>> {
    const last = this.#actor
    const known = (last ?? this.#rested)?.version
    await before()
    if (this.#closed) throw new ClosedError({ what: `actor ${this.stream}` })
    const actor = await EventSourcedActor.load(this.#definition, this.#id, this.#environment, this.#owner)
    if (this.#closed) await actor.close()
    const { version, snapshot } = actor
    this.#adopt(actor)
    // What others have written meanwhile is news as well.
    if (known !== undefined && version > known)
      for await (const recorded of this.#environment.store.read(this.stream, { after: known, to: version }))
        for (const observer of this.#observers) callListener(observer, recorded, snapshot)
    // The effects of a lost actor may still be ending.
    if (!last?.lost) this.#starting?.(actor)
    else void last.quiet().then(() => this.#starting?.(actor))
    return actor
  }

  /** Continues from what it rests on. */
  #wake(): void {
    if (this.#actor || !this.#rested) return
    const actor = new EventSourcedActor(
      this.#definition,
      this.#id,
      this.#environment,
      this.#rested,
      this.#owner,
    )
    this.#adopt(actor)
    this.#starting?.(actor)
  }

  #adopt(actor: EventSourcedActor<M, E>): void {
    this.#actor = actor
    this.#rested = undefined
    this.woken()
  }

  /** An actor that works here needs no use to be folded afresh, unless another writer has claimed its stream. */
  #drop({ lost }: EventSourcedActor<M, E>): void {
    if (!(lost instanceof VersionConflict)) this.lost(lost)
    else if (this.#starting) this.use().catch((error) => this.lost(error))
  }
}
