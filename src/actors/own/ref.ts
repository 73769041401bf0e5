/** The address of a user's own actor, and the lives behind it: each loaded, started and ended. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { type DurableTimer, waitLeft } from '../../clock.ts'
import type { Recorded } from '../../events/envelope.ts'
import { ActorStoppedError, UndeliverableError } from '../../events/errors/actor.ts'
import { CommitConflict } from '../../events/errors/store.ts'
import { commitIdOf, streamName } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import { callListener } from '../../events/listener.ts'
import { firstCommitted } from '../../store/first-committed.ts'
import type { ActorEnvironment } from '../engine/actor.ts'
import type { Circumstances, FactOfMachine } from '../engine/definition.ts'
import type { EffectContext } from '../engine/effects.ts'
import { crashedBy, Ending, type Exit, KILLED } from '../engine/exit.ts'
import { type Decides, Life } from '../engine/life.ts'
import type { Resident } from '../engine/registry.ts'
import { mayPass } from '../engine/wish.ts'
import { checkDecided, type Decided } from './decided.ts'
import type { ActorMessages, ActorRef, OwnEffect, OwnKind, ReceivedMessage } from './definition.ts'

export interface OwnEnvironment extends ActorEnvironment {
  readonly random: () => number
  /** Sends what an actor says to others, and asks them. */
  readonly outbox: () => Promise<Outbox>
}

/** How an actor reaches others. */
export interface Outbox {
  send(
    from: string,
    message: {
      readonly to: string
      readonly text: string
      readonly messageId?: string
      readonly chain?: number
    },
  ): Promise<{ readonly messageId: string }>
  ask(request: {
    readonly from: string
    readonly to: string
    readonly text: string
    readonly requestId?: string
    readonly chain?: number
    /** Aborted once the answer is of no use here. */
    readonly signal: AbortSignal
    /** Whether that is so because the actor ends: spawned again, it asks for the same answer. */
    readonly isLeft: () => boolean
  }): Promise<{ readonly text: string; readonly costUsd: number }>
}

/** A message on its way to an actor. */
export interface IncomingMessage extends ReceivedMessage {
  readonly chain?: number
  /** The fact of the sender that led to it. */
  readonly causationId?: string
}

/** What an actor makes of a message. */
export interface TakenMessage {
  readonly reply: unknown
  /** null if it recorded nothing, or had taken the message before. */
  readonly cause: string | null
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
  readonly #ended: (exit: Exit | null) => void
  readonly #listeners = new Set<(snapshot: SnapshotFrom<M>) => void>()
  #run: OwnRun<C, R, M> | undefined
  #starting: Promise<void> | undefined
  /** How many messages have led to what it does now. It ends with a command of the program. */
  #chain: number | undefined

  /**
   * @param used Called when it is in memory, and whenever it is used.
   * @param ended Called when a run of it has ended, and with null when one begins.
   */
  constructor(
    own: OwnKind<C, R, M>,
    id: string,
    environment: OwnEnvironment,
    used: () => void,
    ended: (exit: Exit | null) => void,
  ) {
    this.kind = own.kind
    this.id = id
    this.stream = streamName(own.kind, id)
    this.#own = own
    this.#environment = environment
    this.#used = used
    this.#ended = ended
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
    const life = await this.#alive()
    this.#chain = undefined
    return this.#ask(life, command)
  }

  /**
   * Takes a message, once: its facts have a commit id that is made of the receiver and the message. Returns what `decide`
   * replies, and the id of its last fact. Throws UndeliverableError for one that it refuses, ActorStoppedError.
   */
  async receive({ chain, causationId, ...message }: IncomingMessage): Promise<TakenMessage> {
    const life = await this.#alive()
    const { messageId } = message
    let refusal: unknown
    let reply: unknown
    let recorded: readonly Recorded[] = []
    const decide = (snapshot: SnapshotFrom<M>) => {
      try {
        const decided = this.#checked(this.#own.onMessage?.(message, snapshot, this.#circumstances) ?? [])
        reply = decided.reply
        return decided.facts
      } catch (error) {
        refusal = error
        throw error
      }
    }
    const commitId = commitIdOf('message', this.stream, messageId)
    const before = this.#chain
    this.#chain = chain ?? 0
    try {
      recorded = await life.decide(decide, {
        ...{ correlationId: messageId, commitId },
        ...defined({ causationId }),
      })
    } catch (error) {
      // Decided again, it may be refused, or come to other facts: those of the first time count.
      const isKnown =
        error instanceof CommitConflict ||
        (error === refusal &&
          (await firstCommitted(this.#environment.store, this.stream, commitId)) !== undefined)
      if (!isKnown) {
        this.#chain = before
        if (error !== refusal || mayPass(error)) throw error
        const reason = `it refuses the message: ${error instanceof Error ? error.message : String(error)}`
        throw new UndeliverableError({ to: this.stream, reason }, { cause: error })
      }
    }
    return { reply, cause: recorded.at(-1)?.id ?? null }
  }

  /** Throws ActorStoppedError. */
  async #alive(): Promise<OwnRun<C, R, M>['life']> {
    await this.#starting
    const { ending, life } = this.#run ?? {}
    if (!life || ending?.exit)
      throw new ActorStoppedError({ stream: this.stream, reason: ending?.exit?.reason ?? 'not started' })
    return life
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
    this.#exit(run, { reason, error: null })
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
    this.#ended(null)
    // Effects run only in the process that owns the store.
    if (this.#environment.store.forReading) return
    life.start(
      (actor) => async (effect, context) => effect.run(this.#contextOf(run, actor, context)),
      (error) => void this.#end(run, crashedBy(error)),
    )
  }

  async #ask(by: Decides<M>, command: C): Promise<R> {
    let reply: R | undefined
    await by.decide((snapshot) => {
      const decided = this.#checked(this.#own.decide(command, snapshot, this.#circumstances))
      reply = decided.reply
      return decided.facts
    })
    return reply as R
  }

  get #circumstances(): Circumstances {
    const { clock, random } = this.#environment
    return { now: clock.now(), random: random() }
  }

  #checked(decided: Decided<unknown, R>) {
    const { facts, reply } = checkDecided(this.kind, decided)
    return { facts: facts as readonly FactOfMachine<M>[], reply }
  }

  /** @param by Ends with the effect: what a lost actor's effect still decides is refused. */
  #contextOf(run: OwnRun<C, R, M>, by: Decides<M> & { readonly closed: boolean }, context: EffectContext) {
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
      messages: this.#messages(by, context),
      end: () => void this.#end(run, { reason: 'normal', error: null }),
    }
  }

  #messages(by: { readonly closed: boolean }, context: EffectContext): ActorMessages {
    const { outbox } = this.#environment
    const chain = () => (this.#chain === undefined ? {} : { chain: this.#chain + 1 })
    return {
      send: async (to, text, { messageId } = {}) =>
        (await outbox()).send(this.stream, { to, text, ...defined({ messageId }), ...chain() }),
      ask: async (to, text, { requestId } = {}) =>
        (await outbox()).ask({
          ...{ from: this.stream, to, text, signal: context.signal, isLeft: () => by.closed },
          ...defined({ requestId }),
          ...chain(),
        }),
    }
  }

  /** Ends a run at once: running effects are aborted and not awaited. */
  async #end(run: OwnRun<C, R, M> | undefined, exit: Exit): Promise<void> {
    if (!run || run.ending.exit) return
    run.closed = run.life.close({ atOnce: true })
    this.#exit(run, exit)
    await run.closed
  }

  #exit(run: OwnRun<C, R, M>, exit: Exit): void {
    this.#ended(exit)
    run.ending.end(exit)
  }
}

async function* ends(ending: Ending): AsyncGenerator<Exit> {
  yield await new Promise<Exit>((resolve) => ending.watch(resolve))
}
