/** Everything that waits in one life of a process, and the order in which it goes on: by chance, from a seed. */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../clock.ts'
import { type VirtualClock, virtualClock } from '../virtual-clock.ts'
import type { Random } from './random.ts'

/** How the next of several that wait is chosen. */
export const ORDERS = ['random', 'first', 'last', 'mostly first'] as const
export type Order = (typeof ORDERS)[number]

interface Waiting {
  readonly what: string
  go(): void
}

/** How often a timer fires although something else could go on: work that takes time. */
const TIME_PASSES = 0.02
/** Work takes no longer than this, in ms. */
const LONGEST_WORK_MS = 10_000

export class Schedule {
  readonly time: VirtualClock
  /** The clock for the process. A timer that is due at once waits for its turn like everything else. */
  readonly clock: Clock
  readonly #random: Random
  readonly #order: Order
  readonly #waiting: Waiting[] = []
  #steps = 0

  constructor(random: Random, order: Order, start: number) {
    this.#random = random
    this.#order = order
    this.time = virtualClock({ start, random: () => random.next() })
    const { now, monotonic, after, background } = this.time
    this.clock = {
      now,
      monotonic,
      after: (delayMs, fire) => (delayMs > 0 ? after(delayMs, fire) : this.#post('timer', fire)),
      ...(background && { background }),
      soon: (fire) => void this.#post('a later turn', fire),
    }
  }

  /** How often something went on. */
  get steps(): number {
    return this.#steps
  }

  /** The number of timers and of others that wait. */
  get pending(): number {
    return this.#waiting.length + this.time.pending
  }

  /** Resolves when its turn comes. */
  readonly turn = (what: string): Promise<void> =>
    new Promise((resolve) => {
      this.#post(what, resolve)
    })

  /** Lets one of those that wait go on; a timer if none can. Returns false if nothing waits. */
  async step(): Promise<boolean> {
    await setImmediate()
    this.#steps += 1
    if (this.#waiting.length === 0 || this.#timePasses()) return this.time.fireNext()
    const [next] = this.#waiting.splice(this.#choice(), 1)
    next?.go()
    return true
  }

  #post(what: string, go: () => void): () => void {
    const waiting = { what, go }
    this.#waiting.push(waiting)
    return () => {
      const index = this.#waiting.indexOf(waiting)
      if (index >= 0) this.#waiting.splice(index, 1)
    }
  }

  #timePasses(): boolean {
    const { nextAt } = this.time
    return nextAt !== null && nextAt - this.time.now() <= LONGEST_WORK_MS && this.#random.chance(TIME_PASSES)
  }

  #choice(): number {
    const last = this.#waiting.length - 1
    if (this.#order === 'first' || (this.#order === 'mostly first' && this.#random.chance(0.8))) return 0
    return this.#order === 'last' ? last : this.#random.between(0, last)
  }
}
