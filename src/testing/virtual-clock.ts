/** A clock that a test advances by hand: waiting a day takes no time, and timers fire in the order they are due. */
import { setImmediate } from 'node:timers'
import type { Clock } from '../clock.ts'

export interface VirtualClock extends Clock {
  /**
   * Advances time by `ms` and fires the timers that become due, in order. Promises that a timer resolves, and timers that
   * they set, run before the next one. Does not wait for the disk or the network.
   */
  advance(ms: number): Promise<void>
  /** The number of pending timers. */
  readonly pending: number
  /** When the next of them is due, in milliseconds since the epoch; null if there is none. */
  readonly nextAt: number | null
}

interface Timer {
  readonly dueAt: number
  readonly fire: () => void
}

/** Waits for one turn of the event loop, so that every promise that is ready has run. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * Creates a clock that stands still until it is advanced. A timer with a delay of zero or less fires by itself.
 *
 * @param start The time that it shows, in milliseconds since the epoch. Default: 2026-01-01.
 * @example
 * const clock = virtualClock()
 * clock.after(60_000, () => fired.push('a minute'))
 * await clock.advance(60_000)
 */
export function virtualClock(start: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = start
  const timers = new Set<Timer>()

  /** Of two timers due at the same time, the one set first: a Set keeps insertion order. */
  const earliest = (): Timer | undefined => {
    let found: Timer | undefined
    for (const timer of timers) if (!found || timer.dueAt < found.dueAt) found = timer
    return found
  }
  const fire = (timer: Timer) => {
    if (timers.delete(timer)) timer.fire()
  }

  return {
    now: () => now,
    after(delayMs, callback) {
      const timer: Timer = { dueAt: now + Math.max(0, delayMs), fire: callback }
      timers.add(timer)
      if (delayMs <= 0) setImmediate(() => fire(timer))
      return () => {
        timers.delete(timer)
      }
    },
    async advance(ms) {
      const target = now + ms
      await settle()
      for (let next = earliest(); next && next.dueAt <= target; next = earliest()) {
        now = Math.max(now, next.dueAt)
        fire(next)
        await settle()
      }
      now = Math.max(now, target)
    },
    get pending() {
      return timers.size
    },
    get nextAt() {
      return earliest()?.dueAt ?? null
    },
  }
}
