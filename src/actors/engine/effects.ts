/** The running effects of one actor: those its state wants are started, unwanted ones aborted, passing failures retried. */
import type { Clock } from '../../clock.ts'
import type { Logger } from '../../logger.ts'
import type { Effect } from './definition.ts'
import { insist, Wish } from './insistence.ts'

export interface EffectContext {
  /** Aborted when the effect is no longer wanted. Created when first read: most effects are short. */
  readonly signal: AbortSignal
  /** The same as `signal`, without creating one. */
  readonly isWanted: boolean
  /** An earlier attempt, or an earlier process, may already have carried it out. */
  readonly resumed: boolean
  /** Waits this many ms, or until the effect is no longer wanted. */
  pause(delayMs: number): Promise<void>
}

/** Carries out an effect. */
export type Perform<E extends Effect> = (effect: E, context: EffectContext) => Promise<void>

/** The reason of an abort. A string, because the default reason is an error, whose stack costs more than the rest of a turn. */
const NOT_WANTED = 'the state of the actor no longer asks for it'

export class RunningEffects<E extends Effect> {
  readonly #perform: Perform<E>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #stream: string
  readonly #failed: (error: unknown) => void
  readonly #running = new Map<string, RunningEffect>()
  /** Unwanted effects included, until they have ended. */
  readonly #ending = new Set<RunningEffect>()

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
    const wanted = this.#running.size > 0 ? new Set(effects.map(({ key }) => key)) : NONE
    for (const [key, running] of this.#running) {
      if (wanted.has(key)) continue
      this.#running.delete(key)
      running.abort()
    }
    for (const effect of effects) {
      const { key } = effect
      if (this.#running.has(key)) continue
      const running = new RunningEffect(this.#clock, resumed)
      this.#running.set(key, running)
      this.#ending.add(running)
      running.ended = this.#carryOut(effect, running)
    }
  }

  /** Forgets an effect, so that the next `reconcile` starts it again: something outside the state has changed. */
  again(key: string): void {
    this.#running.get(key)?.abort()
    this.#running.delete(key)
  }

  /** Whether any has not ended. */
  get isRunning(): boolean {
    return this.#ending.size > 0
  }

  /** Resolves when the effects that run now have ended. */
  async quiet(): Promise<void> {
    await Promise.all([...this.#ending].map(({ ended }) => ended))
  }

  /** Aborts all. */
  abort(): void {
    for (const running of this.#running.values()) running.abort()
  }

  /** Aborts all and waits for them to end. */
  async stop(): Promise<void> {
    this.abort()
    await this.quiet()
  }

  async #carryOut(effect: E, running: RunningEffect): Promise<void> {
    try {
      await insist(
        () => this.#perform(effect, running),
        running,
        (error) => {
          this.#report(effect, error, true)
          running.resumed = true
        },
      )
    } catch (error) {
      if (!running.isWanted) return
      this.#report(effect, error, false)
      this.#failed(error)
    } finally {
      this.#ending.delete(running)
    }
  }

  #report({ key: effect }: E, error: unknown, passing: boolean): void {
    this.#logger.error({ stream: this.#stream, effect, error, passing }, 'an effect failed')
  }
}

const NONE: ReadonlySet<string> = new Set()

/** One effect that runs. An abort controller costs more than the rest of a turn, so it has one only if `signal` is read. */
class RunningEffect extends Wish implements EffectContext {
  #controller: AbortController | undefined
  resumed: boolean
  /** Never rejects. */
  ended: Promise<void> | undefined

  constructor(clock: Clock, resumed: boolean) {
    super(clock)
    this.resumed = resumed
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (!this.isWanted) this.#controller.abort(NOT_WANTED)
    return this.#controller.signal
  }

  override abort(): void {
    super.abort()
    this.#controller?.abort(NOT_WANTED)
  }
}
