/** Work that may fail for a while, such as a write to a full disk, is tried again until it is done or no longer wanted. */
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
export async function insist<T>(
  work: () => Promise<T>,
  wish: Pick<Wish, 'isWanted' | 'pause'>,
  failed: (error: unknown) => void = () => {},
): Promise<T> {
  for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)) {
    try {
      return await work()
    } catch (error) {
      if (!wish.isWanted || !mayPass(error)) throw error
      failed(error)
      await wish.pause(delayMs)
      if (!wish.isWanted) throw error
    }
  }
}

/** Something that is wanted until it is aborted. An abort ends its pauses. */
export class Wish {
  readonly #clock: Clock
  /** Made for the first pause. */
  #pauses: Set<() => void> | undefined
  #isWanted = true

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isWanted(): boolean {
    return this.#isWanted
  }

  abort(): void {
    this.#isWanted = false
    for (const end of this.#pauses ?? []) end()
  }

  /** Waits this many ms, or until it is aborted. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#isWanted) return resolve()
      const end = () => {
        cancel()
        this.#pauses?.delete(end)
        resolve()
      }
      const cancel = this.#clock.after(delayMs, end)
      this.#pauses ??= new Set()
      this.#pauses.add(end)
    })
  }
}
