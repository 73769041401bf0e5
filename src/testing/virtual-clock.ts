/** A clock that a test moves by hand: waiting a day takes no time, and timers fire in the order they are due. */

import { setImmediate } from 'node:timers'
import type { Clock } from '../clock.ts'

export interface VirtualClock extends Clock {
  /**
   * Moves time on by `ms` and fires what falls due, in order; what follows from each timer (promises, and timers
   * they set in turn) runs before the next one. Work that waits for the disk or the network is not waited for.
   */
  advance(ms: number): Promise<void>
  /** How many timers are waiting. */
  readonly pending: number
  /** When the next of them is due, in milliseconds since the epoch; null when none waits. */
  readonly nextAt: number | null
}

interface Timer {
  readonly dueAt: number
  readonly fire: () => void
}

/** Long enough for every promise that is ready to have run: the event loop has gone round once. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * Makes a clock that stands still until it is told to move. A timer of zero or less fires by itself, as time need
 * not pass for it.
 *
 * @param start milliseconds since the epoch at which it stands, 2026-01-01 unless told
 * @example
 * const clock = virtualClock()
 * clock.after(60_000, () => fired.push('a minute'))
 * await clock.advance(60_000)
 */
export function virtualClock(start: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = start
  const timers = new Set<Timer>()

  /** Of two that are due together, the one set first: a Set keeps that order. */
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
