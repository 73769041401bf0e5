/** When to try again what has failed: soon at first, then less and less often. */
import type { Clock } from '../clock.ts'

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 30_000

export class Retry {
  readonly #clock: Clock
  #delay = FIRST_DELAY_MS
  #dueAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isDue(): boolean {
    return this.#clock.now() >= this.#dueAt
  }

  failed(): void {
    this.#dueAt = this.#clock.now() + this.#delay
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY_MS)
  }

  succeeded(): void {
    this.#delay = FIRST_DELAY_MS
  }
}
