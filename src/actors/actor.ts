/**
 * The event-sourced actor: what lives in this system, whatever its kind.
 *
 *     decide (pure) -> facts -> append (durable) -> fold (pure) -> effects -> new facts
 *
 * Its state is never set, only folded from its facts. What should be going on follows from its state (`effects`); the
 * shell compares that with what is going on, starts what is missing and aborts what is no longer wanted. So a crash
 * needs no special path: folding the log gives the state, and the state says what to do.
 */
import {
  type Actor,
  type ActorLogic,
  type AnyStateMachine,
  createActor,
  type EventFromLogic,
  type Snapshot,
  type SnapshotFrom,
} from 'xstate'
import { type Clock, pause } from '../clock.ts'
import type { NewFact, Recorded } from '../events/envelope.ts'
import { ClaudeAgentError, ClosedError, InvalidFactError } from '../events/errors.ts'
import { streamName } from '../events/ids.ts'
import type { Logger } from '../logger.ts'
import type { EventStore } from '../store/event-store.ts'
import type { ActorDefinition, Effect, FactOfMachine } from './definition.ts'
import { replay } from './replay.ts'

/** What an actor needs of the world. */
export interface ActorEnvironment {
  readonly store: EventStore
  readonly clock: Clock
  readonly logger: Logger
}

/** How an effect is carried out. `resumed`: an earlier attempt, or process, may have carried it out already. */
export type Perform<E extends Effect> = (
  effect: E,
  context: { readonly signal: AbortSignal; readonly resumed: boolean },
) => Promise<void>

/** Why facts are recorded, for those who ask the log later. */
export interface Origin {
  readonly correlationId?: string | null
  readonly causationId?: string | null
  /** See {@link EventStore.append}: the same decision again writes nothing and returns what the first one wrote. */
  readonly commitId?: string
}

/** Why a signal is aborted. A string: the default reason is an error, and its stack costs more than the rest of a turn. */
const NOT_WANTED = 'the state of the actor no longer asks for it'

/** Waits between attempts of an effect that failed for a reason that can pass (a full disk), in ms. */
const firstEffectRetryMs = 500
const lastEffectRetryMs = 30_000

export class EventSourcedActor<M extends AnyStateMachine, E extends Effect> {
  readonly stream: string
  /** The live XState actor: subscribe to it, `waitFor` it, inspect it. Only `decide` makes it move. */
  readonly machine: Actor<ActorLogic<SnapshotFrom<M> & Snapshot<unknown>, EventFromLogic<M>>>
  readonly #definition: ActorDefinition<M, E>
  readonly #environment: ActorEnvironment
  readonly #running = new Map<string, AbortController>()
  /** Also those that are no longer wanted and have not come to an end yet. */
  readonly #ending = new Set<Promise<void>>()
  readonly #observers = new Set<(recorded: Recorded, snapshot: SnapshotFrom<M>) => void>()
  #perform: Perform<E> | undefined
  #version: number
  #turn: Promise<unknown> = Promise.resolve()
  #closed = false

  private constructor(
    definition: ActorDefinition<M, E>,
    stream: string,
    environment: ActorEnvironment,
    loaded: { snapshot: SnapshotFrom<M>; version: number },
  ) {
    this.stream = stream
    this.#definition = definition
    this.#environment = environment
    this.#version = loaded.version
    this.machine = createActor({
      getInitialSnapshot: () => loaded.snapshot,
      transition: (snapshot, fact) => definition.fold.transition(snapshot, fact) as typeof snapshot,
      getPersistedSnapshot: (snapshot) => snapshot,
    }).start()
  }

  /** Folds the actor's facts. It stands still until `start`: looking at an actor makes nothing happen. */
  static async load<M extends AnyStateMachine, E extends Effect>(
    definition: ActorDefinition<M, E>,
    id: string,
    environment: ActorEnvironment,
  ): Promise<EventSourcedActor<M, E>> {
    const stream = streamName(definition.kind, id)
    let snapshot = definition.fold.initial
    let version = 0
    for await (const { recorded, after } of replay(definition, environment.store, stream)) {
      snapshot = after
      version = recorded.version
    }
    return new EventSourcedActor(definition, stream, environment, { snapshot, version })
  }

  get snapshot(): SnapshotFrom<M> {
    return this.machine.getSnapshot() as SnapshotFrom<M>
  }

  /** How many facts the state is made of. */
  get version(): number {
    return this.#version
  }

  /** Lets the state have effects from now on. Those that it has already are resumed. */
  start(perform: Perform<E>): void {
    if (this.#perform || this.#closed) return
    this.#perform = perform
    this.#reconcile(true)
  }

  /** Calls back for every fact, after it was written and folded. Returns how to stop that. */
  observe(observer: (recorded: Recorded, snapshot: SnapshotFrom<M>) => void): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  /**
   * The only door. Decides on the state as it is when its turn has come, writes the facts down, then lets the machine
   * see them. All of the facts become true, or none.
   */
  decide(
    decision: (snapshot: SnapshotFrom<M>) => readonly FactOfMachine<M>[],
    origin: Origin = {},
  ): Promise<readonly Recorded[]> {
    const turn = this.#turn.then(() => this.#record(decision(this.snapshot), origin))
    this.#turn = turn.catch(() => {})
    return turn
  }

  /** Resolves when the effects that go on now have come to their end. */
  async quiet(): Promise<void> {
    await Promise.all(this.#ending)
  }

  /** Aborts the effects and waits until they have ended. The state, and so the log, stays as it is. */
  async close(): Promise<void> {
    this.#closed = true
    for (const stop of this.#running.values()) stop.abort(NOT_WANTED)
    await Promise.all([this.#turn, this.quiet()])
    this.machine.stop()
  }

  async #record(facts: readonly FactOfMachine<M>[], origin: Origin): Promise<readonly Recorded[]> {
    if (this.#closed) throw new ClosedError({ what: `actor ${this.stream}` })
    if (facts.length === 0) return []
    const { correlationId = null, causationId = null, commitId } = origin
    const drafts = facts.map((fact) => ({
      ...this.#definition.facts.write(fact),
      correlationId,
      causationId,
    }))
    const recorded = await this.#environment.store.append(this.stream, drafts, {
      expectedVersion: this.#version,
      ...(commitId === undefined ? {} : { commitId }),
      summary: this.#definition.summarize(this.#foresee(drafts)),
    })
    for (const one of recorded) if (one.version > this.#version) this.#see(one)
    this.#reconcile(false)
    return recorded
  }

  /** The state after these facts, had they happened. A fact that would change nothing does not get into the log. */
  #foresee(facts: readonly NewFact[]): SnapshotFrom<M> {
    let snapshot = this.snapshot
    for (const { type, data } of facts) {
      const fact = { type, data, id: '' }
      if (!(snapshot as { can(fact: object): boolean }).can(fact)) {
        const state = JSON.stringify((snapshot as { value?: unknown }).value)
        throw new InvalidFactError({
          type: fact.type,
          problem: `${this.stream} does not expect it in state ${state}`,
        })
      }
      snapshot = this.#definition.fold.transition(snapshot, fact)
    }
    return snapshot
  }

  #see(recorded: Recorded): void {
    this.machine.send(this.#definition.facts.read(recorded) as never)
    this.#version = recorded.version
    for (const observer of this.#observers) observer(recorded, this.snapshot)
  }

  #reconcile(resumed: boolean): void {
    if (!this.#perform || this.#closed) return
    const wanted = new Map(this.#definition.effects(this.snapshot).map((effect) => [effect.key, effect]))
    for (const [key, stop] of this.#running) {
      if (wanted.has(key)) continue
      this.#running.delete(key)
      stop.abort(NOT_WANTED)
    }
    for (const [key, effect] of wanted) {
      if (this.#running.has(key)) continue
      const stop = new AbortController()
      this.#running.set(key, stop)
      const ended = this.#carryOut(this.#perform, effect, stop.signal, resumed)
      this.#ending.add(ended)
      ended.finally(() => this.#ending.delete(ended))
    }
  }

  /** Carries an effect out, and again where it failed for a reason that can pass. */
  async #carryOut(perform: Perform<E>, effect: E, signal: AbortSignal, resumed: boolean): Promise<void> {
    const { clock, logger } = this.#environment
    for (
      let delayMs = firstEffectRetryMs;
      !signal.aborted;
      delayMs = Math.min(delayMs * 2, lastEffectRetryMs)
    ) {
      try {
        return await perform(effect, { signal, resumed })
      } catch (error) {
        if (signal.aborted) return
        const passing = error instanceof ClaudeAgentError && error.retryable
        logger.error({ stream: this.stream, effect: effect.key, error, passing }, 'an effect failed')
        if (!passing) return
        resumed = true
        await pause(clock, delayMs, signal)
      }
    }
  }
}
