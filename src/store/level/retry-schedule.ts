/** When to retry after a failure: exponential backoff from 100 ms to 30 s. */
import type { Clock } from '../../clock.ts'

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 30_000

export class RetrySchedule {
  readonly #clock: Clock
  #delay = FIRST_DELAY_MS
  #failedAt = 0
  #dueAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isDue(): boolean {
    const now = this.#clock.now()
    // A clock that was set back must not extend the delay.
    return now >= this.#dueAt || now < this.#failedAt
  }

  failed(): void {
    this.#failedAt = this.#clock.now()
    this.#dueAt = this.#failedAt + this.#delay
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY_MS)
  }

  succeeded(): void {
    this.#delay = FIRST_DELAY_MS
  }
}
