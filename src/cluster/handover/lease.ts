/**
 * How long a worker may be at work for what it has claimed. Nobody compares the clocks of two machines: each side measures by
 * its own steady clock, between moments whose order is certain.
 *
 * L1. A worker ends its calls once `CUT_OFF_AFTER_MS` have passed since it sent the last heartbeat that was answered, and they
 *     have ended `ENDED_WITHIN_MS` later.
 * L2. Others count from when they were told of that heartbeat, which is after it was sent, to when they last asked and there was
 *     no newer one. Once that is `LEASE_MS`, all calls that it began under that heartbeat have ended.
 *
 * A heartbeat that they have not seen by then was answered to a worker that had ended its calls. What it begins after that, it
 * has to claim again (decision 28).
 */

/**
 * A worker that has heard nothing from the database for so long ends its calls. Before that, it has given up a connection on
 * which no answer comes, and has tried another one.
 */
export const CUT_OFF_AFTER_MS = 15_000
/** Until it has noticed, and what did not end by SIGTERM was killed. */
export const ENDED_WITHIN_MS = 10_000
export const LEASE_MS = CUT_OFF_AFTER_MS + ENDED_WITHIN_MS

/** What a worker may begin, by its own heartbeats. Times are in ms of a steady clock. */
export class OwnLease {
  #sentAt: number
  #isOver = false

  /** @param sentAt When it first said that it lives. */
  constructor(sentAt: number) {
    this.#sentAt = sentAt
  }

  /** A heartbeat was answered. */
  answered(sentAt: number): void {
    this.#sentAt = Math.max(this.#sentAt, sentAt)
  }

  /** For how long nothing was heard. */
  unheardMs(now: number): number {
    return now - this.#sentAt
  }

  /** The others have taken it for ended: it begins nothing more. */
  end(): void {
    this.#isOver = true
  }

  /** Until when it may begin something, by what was heard so far. */
  get expiresAt(): number {
    return this.#isOver ? Number.NEGATIVE_INFINITY : this.#sentAt + CUT_OFF_AFTER_MS
  }

  isCutOff(now: number): boolean {
    return now > this.expiresAt
  }
}

/** When a question was asked and answered, in ms of a steady clock. */
export interface RoundTrip {
  readonly askedAt: number
  readonly answeredAt: number
}

/** What a process has seen of the heartbeats of other workers. */
export class OtherLeases {
  /** By the number of the worker. */
  readonly #seen = new Map<number, { readonly beat: string; readonly since: number }>()

  /** Takes in the last heartbeat of a worker. Returns whether it has ended all calls that it began before. */
  observe(epoch: number, beat: string, { askedAt, answeredAt }: RoundTrip): boolean {
    const known = this.#seen.get(epoch)
    if (known?.beat === beat) return askedAt - known.since >= LEASE_MS
    this.#seen.set(epoch, { beat, since: answeredAt })
    return false
  }

  /** Forgets all other workers than these. */
  keep(epochs: Iterable<number>): void {
    const kept = new Set(epochs)
    for (const epoch of this.#seen.keys()) if (!kept.has(epoch)) this.#seen.delete(epoch)
  }
}
