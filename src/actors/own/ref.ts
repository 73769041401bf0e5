/** The address of a user's own actor, and the lives behind it: each loaded, started and ended. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { type DurableTimer, waitLeft } from '../../clock.ts'
import { ActorStoppedError } from '../../events/errors/actor.ts'
import { streamName } from '../../events/ids.ts'
import { callListener } from '../../events/listener.ts'
import type { ActorEnvironment } from '../engine/actor.ts'
import type { FactOfMachine } from '../engine/definition.ts'
import type { EffectContext } from '../engine/effects.ts'
import { crashedBy, Ending, type Exit, KILLED } from '../engine/exit.ts'
import { type Decides, Life } from '../engine/life.ts'
import type { Resident } from '../engine/registry.ts'
import { checkDecided } from './decided.ts'
import type { ActorRef, OwnEffect, OwnKind } from './definition.ts'

export interface OwnEnvironment extends ActorEnvironment {
  readonly random: () => number
}

/** One run, from a start to an end. */
interface OwnRun<C, R, M extends AnyStateMachine> {
  readonly life: Life<M, OwnEffect<C, R, SnapshotFrom<M>>>
  readonly ending: Ending
  /** Resolves when it can no longer write to the log. */
  closed: Promise<void>
}

export class OwnActorRef<C, R, M extends AnyStateMachine>
  implements ActorRef<C, R, SnapshotFrom<M>>, Resident
{
  readonly kind: string
  readonly id: string
  readonly stream: string
  readonly #own: OwnKind<C, R, M>
  readonly #environment: OwnEnvironment
  readonly #used: () => void
  readonly #listeners = new Set<(snapshot: SnapshotFrom<M>) => void>()
  #run: OwnRun<C, R, M> | undefined
  #starting: Promise<void> | undefined

  /** @param used Called when it is in memory, and whenever it is used. */
  constructor(own: OwnKind<C, R, M>, id: string, environment: OwnEnvironment, used: () => void) {
    this.kind = own.kind
    this.id = id
    this.stream = streamName(own.kind, id)
    this.#own = own
    this.#environment = environment
    this.#used = used
  }

  get snapshot(): SnapshotFrom<M> {
    return this.#run?.life.snapshot ?? this.#own.definition.fold.initial
  }

  get version(): number {
    return this.#run?.life.version ?? 0
  }

  get isAlive(): boolean {
    return this.#run !== undefined && this.#run.ending.exit === undefined
  }

  /** Whether nothing needs it in memory: no effect, no supervisor or other watcher, and no subscriber. */
  get isIdle(): boolean {
    if (!this.#run || this.#starting) return false
    const { life, ending } = this.#run
    if (ending.exit) return true
    const isNeeded = ending.isWatched || this.#listeners.size > 0
    // What has run and is still wanted would run again.
    return life.isIdle && !isNeeded && !this.#own.definition.summarize(life.snapshot).open
  }

  get isHere(): boolean {
    return this.isAlive && this.#run?.life.current !== undefined
  }

  /** Loads and starts the actor unless it runs. */
  async use(): Promise<void> {
    if (!this.isAlive) {
      this.#starting ??= this.#start().finally(() => {
        this.#starting = undefined
      })
      await this.#starting
    } else await this.#run?.life.use()
    this.#used()
  }

  /** Evicts it from memory. It loads again when it is used. */
  rest(): void {
    this.#run?.life.rest()
  }

  async tell(command: C): Promise<void> {
    await this.ask(command)
  }

  async ask(command: C): Promise<R> {
    await this.#starting
    const { ending, life } = this.#run ?? {}
    if (!life || ending?.exit)
      throw new ActorStoppedError({ stream: this.stream, reason: ending?.exit?.reason ?? 'not started' })
    return this.#ask(life, command)
  }

  watch(ended: (exit: Exit) => void): () => void
  watch(): AsyncIterable<Exit>
  watch(ended?: (exit: Exit) => void): (() => void) | AsyncIterable<Exit> {
    const ending = this.#run?.ending ?? new Ending()
    return ended ? ending.watch(ended) : ends(ending)
  }

  subscribe(next: (snapshot: SnapshotFrom<M>) => void): { unsubscribe(): void } {
    this.#listeners.add(next)
    return { unsubscribe: () => this.#listeners.delete(next) }
  }

  async stop(reason: 'normal' | 'shutdown' = 'normal'): Promise<void> {
    await this.#starting?.catch(() => {})
    const run = this.#run
    if (!run || run.ending.exit) return
    run.closed = run.life.close()
    await run.closed
    run.ending.end({ reason, error: null })
  }

  async kill(): Promise<void> {
    await this.#end(this.#run, KILLED)
  }

  async #start(): Promise<void> {
    await this.#run?.closed
    const life = await Life.load(this.#own.definition, this.id, this.#environment)
    life.woken = this.#used
    const run: OwnRun<C, R, M> = { life, ending: new Ending(), closed: Promise.resolve() }
    life.observe((_, snapshot) => {
      this.#used()
      for (const next of this.#listeners) callListener(next, snapshot)
    })
    this.#run = run
    // Effects run only in the process that owns the store.
    if (this.#environment.store.forReading) return
    life.start(
      (actor) => async (effect, context) => effect.run(this.#contextOf(run, actor, context)),
      (error) => void this.#end(run, crashedBy(error)),
    )
  }

  async #ask(by: Decides<M>, command: C): Promise<R> {
    const { clock, random } = this.#environment
    let reply: R | undefined
    await by.decide((snapshot) => {
      const decided = this.#own.decide(command, snapshot, { now: clock.now(), random: random() })
      const { facts, reply: replied } = checkDecided(this.kind, decided)
      reply = replied
      return facts as readonly FactOfMachine<M>[]
    })
    return reply as R
  }

  /** @param by Ends with the effect: what a lost actor's effect still decides is refused. */
  #contextOf(run: OwnRun<C, R, M>, by: Decides<M>, context: EffectContext) {
    const { clock } = this.#environment
    const ref = this
    return {
      get signal() {
        return context.signal
      },
      resumed: context.resumed,
      clock,
      wait: ({ dueAt, delayMs }: DurableTimer) => context.pause(waitLeft(dueAt, delayMs, clock.now())),
      self: {
        id: this.id,
        get snapshot() {
          return ref.snapshot
        },
        ask: (command: C) => this.#ask(by, command),
        tell: async (command: C) => void (await this.#ask(by, command)),
      },
      end: () => void this.#end(run, { reason: 'normal', error: null }),
    }
  }

  /** Ends a run at once: running effects are aborted and not awaited. */
  async #end(run: OwnRun<C, R, M> | undefined, exit: Exit): Promise<void> {
    if (!run || run.ending.exit) return
    run.closed = run.life.close({ atOnce: true })
    run.ending.end(exit)
    await run.closed
  }
}

async function* ends(ending: Ending): AsyncGenerator<Exit> {
  yield await new Promise<Exit>((resolve) => ending.watch(resolve))
}
