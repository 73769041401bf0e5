/** Makes what goes on be what should be going on: starts what is missing, aborts what is no longer wanted. */
import type { Clock } from '../../clock.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import type { Logger } from '../../logger.ts'
import type { Effect } from './definition.ts'

export interface EffectContext {
  /** Aborted when the effect is no longer wanted. Made when it is first asked for: most effects are short. */
  readonly signal: AbortSignal
  /** What the signal says, without making one. */
  readonly isWanted: boolean
  /** An earlier attempt, or process, may have carried it out already. */
  readonly resumed: boolean
  /** Waits so many ms, or less when the effect is no longer wanted. */
  pause(delayMs: number): Promise<void>
}

/** How an effect is carried out. */
export type Perform<E extends Effect> = (effect: E, context: EffectContext) => Promise<void>

/** Why a signal is aborted. A string: the default reason is an error, and its stack costs more than the rest of a turn. */
const NOT_WANTED = 'the state of the actor no longer asks for it'

/** Waits between attempts of an effect that failed for a reason that can pass (a full disk), in ms. */
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

/** An abort controller costs more than the rest of a turn: here it is one only for those who look at it. */
class Stop {
  #aborted = false
  #controller: AbortController | undefined
  readonly #pauses = new Set<() => void>()

  get aborted(): boolean {
    return this.#aborted
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted) this.#controller.abort(NOT_WANTED)
    return this.#controller.signal
  }

  abort(): void {
    this.#aborted = true
    this.#controller?.abort(NOT_WANTED)
    for (const end of this.#pauses) end()
  }

  pause(clock: Clock, delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#aborted) return resolve()
      const end = () => {
        cancel()
        this.#pauses.delete(end)
        resolve()
      }
      const cancel = clock.after(delayMs, end)
      this.#pauses.add(end)
    })
  }
}

export class RunningEffects<E extends Effect> {
  readonly #perform: Perform<E>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #stream: string
  readonly #failed: (error: unknown) => void
  readonly #running = new Map<string, Stop>()
  /** Also those that are no longer wanted and have not come to an end yet. */
  readonly #ending = new Set<Promise<void>>()

  /** @param failed Told of an effect that failed for a reason that does not pass: it is not tried again. */
  constructor(
    perform: Perform<E>,
    { clock, logger }: { clock: Clock; logger: Logger },
    stream: string,
    failed: (error: unknown) => void = () => {},
  ) {
    this.#failed = failed
    this.#perform = perform
    this.#clock = clock
    this.#logger = logger
    this.#stream = stream
  }

  /** An effect that has ended is not started again while it stays wanted. */
  reconcile(effects: readonly E[], resumed: boolean): void {
    const wanted = new Map(effects.map((effect) => [effect.key, effect]))
    for (const [key, stop] of this.#running) {
      if (wanted.has(key)) continue
      this.#running.delete(key)
      stop.abort()
    }
    for (const [key, effect] of wanted) {
      if (this.#running.has(key)) continue
      const stop = new Stop()
      this.#running.set(key, stop)
      const ended = this.#carryOut(effect, stop, resumed)
      this.#ending.add(ended)
      ended.finally(() => this.#ending.delete(ended))
    }
  }

  /** Lets an effect run again that is wanted still: what it depends on has changed, and is not part of the state. */
  again(key: string): void {
    this.#running.get(key)?.abort()
    this.#running.delete(key)
  }

  /** Resolves when those that go on now have come to their end. */
  async quiet(): Promise<void> {
    await Promise.all(this.#ending)
  }

  /** Aborts all. */
  abort(): void {
    for (const stop of this.#running.values()) stop.abort()
  }

  /** Aborts all, and waits for their end. */
  async stop(): Promise<void> {
    this.abort()
    await this.quiet()
  }

  /** Carries an effect out, and again where it failed for a reason that can pass. */
  async #carryOut(effect: E, stop: Stop, resumed: boolean): Promise<void> {
    let again = resumed
    for (let delayMs = FIRST_RETRY_MS; !stop.aborted; delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)) {
      try {
        return await this.#perform(effect, this.#context(stop, again))
      } catch (error) {
        if (stop.aborted) return
        const passing = error instanceof ClaudeAgentError && error.retryable
        this.#logger.error({ stream: this.#stream, effect: effect.key, error, passing }, 'an effect failed')
        if (!passing) return this.#failed(error)
        again = true
        await stop.pause(this.#clock, delayMs)
      }
    }
  }

  #context(stop: Stop, resumed: boolean): EffectContext {
    return {
      resumed,
      get signal() {
        return stop.signal
      },
      get isWanted() {
        return !stop.aborted
      },
      pause: (delayMs) => stop.pause(this.#clock, delayMs),
    }
  }
}
