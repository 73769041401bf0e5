/**
 * Work that is wanted until it is aborted: it can wait, and is tried again as long as its failure may pass, such as that of a
 * write to a full disk. `Interest` is the cheap form of an abort signal; a `Wish` is one that can wait.
 */
import type { Clock } from '../../clock.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'

/** Delays between attempts, in ms: they double up to the last one. */
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

/** Whether the same work may well succeed later. */
export const mayPass = (error: unknown): boolean => error instanceof ClaudeAgentError && error.retryable

/**
 * Tries work again as long as its failure may pass. Throws the last error if that does not pass, or once the work is no
 * longer wanted.
 *
 * @param failed Called before each further attempt.
 */
export function insist<T>(
  work: () => Promise<T>,
  wish: Pick<Wish, 'isWanted' | 'pause'>,
  failed: (error: unknown) => void = () => {},
  delayMs = FIRST_RETRY_MS,
): Promise<T> {
  return work().catch(async (error) => {
    if (!wish.isWanted || !mayPass(error)) throw error
    failed(error)
    await wish.pause(delayMs)
    if (!wish.isWanted) throw error
    return insist(work, wish, failed, Math.min(delayMs * 2, LAST_RETRY_MS))
  })
}

/** Something that is wanted until it is aborted. An AbortController says the same at the cost of a whole turn. */
export class Interest {
  /** Made for the first listener. */
  #listeners: Set<() => void> | undefined
  #controller: AbortController | undefined
  #isWanted = true
  #reason: unknown

  get isWanted(): boolean {
    return this.#isWanted
  }

  /** Why it was aborted. */
  get reason(): unknown {
    return this.#reason
  }

  /** The same for code that takes a signal. Made when it is first read. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController()
      this.whenAborted(() => controller.abort(this.#reason))
      this.#controller = controller
    }
    return this.#controller.signal
  }

  /** Does work with a signal of its own, which aborts if the work is no longer wanted before it has ended. */
  async whileWanted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const forget = this.whenAborted(() => controller.abort(this.#reason))
    try {
      return await work(controller.signal)
    } finally {
      forget()
    }
  }

  abort(reason?: unknown): void {
    if (!this.#isWanted) return
    this.#isWanted = false
    this.#reason = reason
    for (const aborted of this.#listeners ?? []) aborted()
    this.#listeners = undefined
  }

  /** Calls back once it is aborted, or at once if it is. Returns the function that stops that. */
  whenAborted(listener: () => void): () => void {
    if (!this.#isWanted) {
      listener()
      return () => {}
    }
    this.#listeners ??= new Set()
    this.#listeners.add(listener)
    return () => this.#listeners?.delete(listener)
  }
}

/** An interest that can wait. An abort ends its waits. */
export class Wish extends Interest {
  readonly #clock: Clock

  constructor(clock: Clock) {
    super()
    this.#clock = clock
  }

  /** Waits this many ms, or until it is aborted. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve, resolve))
  }

  /** Calls `fire` after this many ms, or `aborted` once it is aborted before. */
  after(delayMs: number, fire: () => void, aborted?: () => void): void {
    if (!this.isWanted) {
      aborted?.()
      return
    }
    const cancel = this.#clock.after(delayMs, () => {
      forget()
      fire()
    })
    const forget = this.whenAborted(() => {
      cancel()
      aborted?.()
    })
  }
}
