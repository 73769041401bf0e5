/** Time as a port, so that tests control it: nothing else in this project reads the clock or sets a timer. */
import { setImmediate } from 'node:timers'

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /**
   * Milliseconds from an arbitrary origin, never decreasing: setting the machine's clock does not affect it. Default:
   * `now`.
   */
  monotonic?(): number
  /** Calls `fire` once, `delayMs` from now (at once if zero or less). Returns a function that cancels it. */
  after(delayMs: number, fire: () => void): () => void
  /** Calls `fire` in a later turn of the event loop: everything that can go on at once goes first. Default: `setImmediate`. */
  soon?(fire: () => void): void
}

/** `setTimeout` takes at most 2^31-1 ms (24.8 days), and fires AT ONCE if given more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The machine's clock. A pending timer keeps the process alive, as expected of pending work. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, fire) {
    const dueAt = Date.now() + delayMs
    let timer: NodeJS.Timeout
    const arm = () => {
      const left = Math.max(0, dueAt - Date.now())
      timer = left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(fire, left)
    }
    arm()
    return () => clearTimeout(timer)
  },
}

/** Calls `fire` in a later turn of the event loop. */
export function soon(clock: Clock, fire: () => void): void {
  if (clock.soon) clock.soon(fire)
  else setImmediate(fire)
}

/** Waits `delayMs` on this clock, or until the signal aborts. Never rejects. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const cancel = clock.after(delayMs, finish)
    signal?.addEventListener('abort', finish, { once: true })
  })
}

/** The last instant that a date can hold: in the year 275760. */
const LAST_INSTANT = 8.64e15

/** A time as recorded in facts: ISO 8601 in UTC, with milliseconds. A later one than a date can hold is the last one. */
export const instant = (milliseconds: number): string =>
  new Date(Math.min(milliseconds, LAST_INSTANT)).toISOString()
