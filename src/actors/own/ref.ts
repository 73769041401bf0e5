/** The address of a user's own actor, and the lives behind it: each loaded, started and ended. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { ActorStoppedError } from '../../events/errors/actor.ts'
import { streamName } from '../../events/ids.ts'
import { callListener } from '../../events/listener.ts'
import { isForReading } from '../../store/level/chained-store.ts'
import { type ActorEnvironment, EventSourcedActor } from '../engine/actor.ts'
import type { FactOfMachine } from '../engine/definition.ts'
import { crashedBy, Ending, type Exit, KILLED } from '../engine/exit.ts'
import type { EffectContext } from '../engine/running-effects.ts'
import { checkDecided } from './decided.ts'
import type { ActorRef, OwnEffect, OwnKind } from './definition.ts'

export interface OwnEnvironment extends ActorEnvironment {
  readonly random: () => number
}

/** One life, from a start to an end. */
interface Life<C, R, M extends AnyStateMachine> {
  readonly actor: EventSourcedActor<M, OwnEffect<C, R, SnapshotFrom<M>>>
  readonly ending: Ending
  /** Resolves when it can no longer write to the log. */
  closed: Promise<void>
}

export class OwnActorRef<C, R, M extends AnyStateMachine> implements ActorRef<C, R, SnapshotFrom<M>> {
  readonly kind: string
  readonly id: string
  readonly stream: string
  readonly #own: OwnKind<C, R, M>
  readonly #environment: OwnEnvironment
  readonly #listeners = new Set<(snapshot: SnapshotFrom<M>) => void>()
  #life: Life<C, R, M> | undefined
  #starting: Promise<void> | undefined

  constructor(own: OwnKind<C, R, M>, id: string, environment: OwnEnvironment) {
    this.kind = own.kind
    this.id = id
    this.stream = streamName(own.kind, id)
    this.#own = own
    this.#environment = environment
  }

  get snapshot(): SnapshotFrom<M> {
    return this.#life?.actor.snapshot ?? this.#own.definition.fold.initial
  }

  get version(): number {
    return this.#life?.actor.version ?? 0
  }

  get isAlive(): boolean {
    return this.#life !== undefined && this.#life.ending.exit === undefined
  }

  /** Loads and starts the actor unless it runs. */
  async start(): Promise<void> {
    if (this.isAlive) return
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined
    })
    await this.#starting
  }

  async tell(command: C): Promise<void> {
    await this.ask(command)
  }

  async ask(command: C): Promise<R> {
    await this.#starting
    const { ending, actor } = this.#life ?? {}
    if (!actor || ending?.exit)
      throw new ActorStoppedError({ stream: this.stream, reason: ending?.exit?.reason ?? 'not started' })
    const { clock, random } = this.#environment
    let reply: R | undefined
    await actor.decide((snapshot) => {
      const decided = this.#own.decide(command, snapshot, { now: clock.now(), random: random() })
      const { facts, reply: replied } = checkDecided(this.kind, decided)
      reply = replied
      return facts as readonly FactOfMachine<M>[]
    })
    return reply as R
  }

  watch(ended: (exit: Exit) => void): () => void
  watch(): AsyncIterable<Exit>
  watch(ended?: (exit: Exit) => void): (() => void) | AsyncIterable<Exit> {
    const ending = this.#life?.ending ?? new Ending()
    return ended ? ending.watch(ended) : ends(ending)
  }

  subscribe(next: (snapshot: SnapshotFrom<M>) => void): { unsubscribe(): void } {
    this.#listeners.add(next)
    return { unsubscribe: () => this.#listeners.delete(next) }
  }

  async stop(reason: 'normal' | 'shutdown' = 'normal'): Promise<void> {
    await this.#starting?.catch(() => {})
    const life = this.#life
    if (!life || life.ending.exit) return
    life.closed = life.actor.close()
    await life.closed
    life.ending.end({ reason, error: null })
  }

  async kill(): Promise<void> {
    await this.#end(this.#life, KILLED)
  }

  async #start(): Promise<void> {
    await this.#life?.closed
    const { definition } = this.#own
    const actor = await EventSourcedActor.load(definition, this.id, this.#environment)
    const life: Life<C, R, M> = { actor, ending: new Ending(), closed: Promise.resolve() }
    actor.observe((_, snapshot) => {
      for (const next of this.#listeners) callListener(next, snapshot)
    })
    this.#life = life
    // Effects run only in the process that owns the store.
    if (isForReading(this.#environment.store)) return
    actor.start(
      async (effect, context) => effect.run(this.#runOf(life, context)),
      (error) => void this.#end(life, crashedBy(error)),
    )
  }

  #runOf(life: Life<C, R, M>, context: EffectContext) {
    return {
      get signal() {
        return context.signal
      },
      resumed: context.resumed,
      clock: this.#environment.clock,
      self: this,
      end: () => void this.#end(life, { reason: 'normal', error: null }),
    }
  }

  /** Ends a life at once: running effects are aborted and not awaited. */
  async #end(life: Life<C, R, M> | undefined, exit: Exit): Promise<void> {
    if (!life || life.ending.exit) return
    life.closed = life.actor.close({ atOnce: true })
    life.ending.end(exit)
    await life.closed
  }
}

async function* ends(ending: Ending): AsyncGenerator<Exit> {
  yield await new Promise<Exit>((resolve) => ending.watch(resolve))
}
