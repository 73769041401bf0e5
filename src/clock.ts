/** Time as a port, so that a test can own it: nothing in this project reads the clock or sets a timer itself. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds from anywhere, and never back: setting the machine's clock does not move it. Default: `now`. */
  monotonic?(): number
  /** Calls `fire` once, `delayMs` from now (at once when it is zero or less). Returns how to call it off. */
  after(delayMs: number, fire: () => void): () => void
}

/** `setTimeout` holds at most 2^31-1 ms (24.8 days) and fires AT ONCE when given more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The machine's own clock. A pending timer keeps the process alive, as one would expect of work that is due. */
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

/** Waits `delayMs` on this clock, or less when the signal aborts. Never rejects. */
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

/** An instant as facts hold it: ISO 8601 in UTC, with milliseconds. */
export const instant = (milliseconds: number): string => new Date(milliseconds).toISOString()
