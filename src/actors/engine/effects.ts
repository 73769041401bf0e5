/** What an actor does because of its state: missing effects are started, unwanted ones aborted. */
import type { Clock } from '../../clock.ts'
import type { Logger } from '../../logger.ts'
import type { Effect } from './definition.ts'
import { insist, Wish } from './wish.ts'

/** Wanted as long as the state asks for the effect. */
export interface EffectContext
  extends Pick<Wish, 'isWanted' | 'signal' | 'whenAborted' | 'whileWanted' | 'pause'> {
  /** An earlier attempt, or an earlier process, may already have carried it out. */
  readonly resumed: boolean
  /** Carries the effect out in this many ms, if it is still wanted. Until then it is a timer, and nothing of it runs. */
  later(delayMs: number, work: () => Promise<void>): void
}

/** Carries out an effect. */
export type Perform<E extends Effect> = (effect: E, context: EffectContext) => Promise<void>

/** The reason of an abort. A string, because the default reason is an error, whose stack costs more than the rest of a turn. */
const NOT_WANTED = 'the state of the actor no longer asks for it'

/** The running effects of one actor. */
export class RunningEffects<E extends Effect> {
  readonly #perform: Perform<E>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #stream: string
  readonly #failed: (error: unknown) => void
  /** Also those that have ended, by key. */
  readonly #wanted = new Map<string, RunningEffect>()
  /** Also those that are wanted no more, until they have ended. */
  readonly #inProgress = new Set<RunningEffect>()

  /** @param failed Called when an effect failed permanently; it is not retried. */
  constructor(
    perform: Perform<E>,
    { clock, logger }: { clock: Clock; logger: Logger },
    stream: string,
    failed: (error: unknown) => void,
  ) {
    this.#perform = perform
    this.#clock = clock
    this.#logger = logger
    this.#stream = stream
    this.#failed = failed
  }

  /** Starts what is missing and aborts what is unwanted. An effect that has ended is not started again while it stays wanted. */
  reconcile(effects: readonly E[], resumed: boolean): void {
    const keepsNone = this.#wanted.size === 0 || effects.length === 0
    const wanted = keepsNone ? NONE : new Set(effects.map(({ key }) => key))
    for (const [key, running] of this.#wanted) {
      if (wanted.has(key)) continue
      this.#wanted.delete(key)
      running.abort(NOT_WANTED)
    }
    for (const effect of effects) {
      const { key } = effect
      if (this.#wanted.has(key)) continue
      const running = new RunningEffect(this, this.#clock, key, resumed)
      this.#wanted.set(key, running)
      this.carryOut(running, () => this.#perform(effect, running))
    }
  }

  /** Forgets an effect, so that the next `reconcile` starts it again: something outside the state has changed. */
  again(key: string): void {
    this.#wanted.get(key)?.abort(NOT_WANTED)
    this.#wanted.delete(key)
  }

  /** Whether any has not ended. */
  get isRunning(): boolean {
    return this.#inProgress.size > 0
  }

  /** Resolves when the effects that run now have ended. */
  async quiet(): Promise<void> {
    await Promise.all([...this.#inProgress].map(({ ended }) => ended))
  }

  /** Aborts all. */
  abort(): void {
    for (const running of this.#wanted.values()) running.abort(NOT_WANTED)
  }

  /** Aborts all and waits for them to end. */
  async stop(): Promise<void> {
    this.abort()
    await this.quiet()
  }

  /** Does the work of an effect. */
  carryOut(running: RunningEffect, work: () => Promise<void>): void {
    this.#inProgress.add(running)
    running.ended = this.#carriedOut(running, work)
  }

  async #carriedOut(running: RunningEffect, work: () => Promise<void>): Promise<void> {
    try {
      await insist(work, running, (error) => {
        this.#report(running, error, true)
        running.resumed = true
      })
    } catch (error) {
      if (!running.isWanted) return
      this.#report(running, error, false)
      this.#failed(error)
    } finally {
      this.#inProgress.delete(running)
    }
  }

  #report({ key: effect }: RunningEffect, error: unknown, passing: boolean): void {
    this.#logger.error({ stream: this.#stream, effect, error, passing }, 'an effect failed')
  }
}

const NONE: ReadonlySet<string> = new Set()

/** One effect that runs. */
class RunningEffect extends Wish implements EffectContext {
  readonly key: string
  readonly #effects: Pick<RunningEffects<Effect>, 'carryOut'>
  resumed: boolean
  /** Never rejects. */
  ended: Promise<void> | undefined

  constructor(
    effects: Pick<RunningEffects<Effect>, 'carryOut'>,
    clock: Clock,
    key: string,
    resumed: boolean,
  ) {
    super(clock)
    this.#effects = effects
    this.key = key
    this.resumed = resumed
  }

  later(delayMs: number, work: () => Promise<void>): void {
    this.after(delayMs, () => this.#effects.carryOut(this, work))
  }
}
