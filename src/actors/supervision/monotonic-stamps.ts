/** Stamps that never go back, neither when the machine's clock is set nor from one process to the next. */
import type { Clock } from '../../clock.ts'

export class MonotonicStamps {
  readonly #read: () => number
  readonly #offset: number

  /** @param last The last stamp of an earlier process. */
  constructor(clock: Clock, last: number) {
    this.#read = () => clock.monotonic?.() ?? clock.now()
    this.#offset = Math.max(clock.now(), last) - this.#read()
  }

  /** In ms. */
  now(): number {
    return Math.round(this.#read() + this.#offset)
  }
}
