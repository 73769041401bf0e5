/** Time as a port, so that tests control it: nothing else in this project reads the clock or sets a timer. */
import { setImmediate } from 'node:timers'
import { InvalidInputError } from './events/errors/usage.ts'

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
  /** Calls `fire` in a later turn of the event loop: everything that can continue at once goes first. Default: `setImmediate`. */
  soon?(fire: () => void): void
  /** The same as `after`, but a pending timer does not keep the process alive. Default: `after`. */
  background?(delayMs: number, fire: () => void): () => void
}

/** `setTimeout` takes at most 2^31-1 ms (24.8 days), and fires AT ONCE if given more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** For durations within one process: time that no setting of the machine's clock moves. */
export const steadyTime = (clock: Clock): number => clock.monotonic?.() ?? clock.now()

/** The machine's clock. A pending timer keeps the process alive, as expected of pending work. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, fire) {
    let timer: NodeJS.Timeout
    if (delayMs <= LONGEST_TIMER_MS) {
      timer = setTimeout(fire, delayMs)
      return () => clearTimeout(timer)
    }
    const dueAt = performance.now() + delayMs
    const arm = () => {
      const left = Math.max(0, dueAt - performance.now())
      timer = left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(fire, left)
    }
    arm()
    return () => clearTimeout(timer)
  },
  background(delayMs, fire) {
    const timer = setTimeout(fire, Math.min(delayMs, LONGEST_TIMER_MS)).unref()
    return () => clearTimeout(timer)
  },
}

/** Calls `fire` in a later turn of the event loop. */
export function soon(clock: Clock, fire: () => void): void {
  if (clock.soon) clock.soon(fire)
  else setImmediate(fire)
}

/** Calls `fire` once, `delayMs` from now, if the process is still alive. Returns a function that cancels it. */
export const inBackground = (clock: Clock, delayMs: number, fire: () => void): (() => void) =>
  clock.background ? clock.background(delayMs, fire) : clock.after(delayMs, fire)

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

/**
 * What work comes to, or `late` once its time is up; the work itself continues.
 *
 * @param since Its time counts from when this aborts.
 */
export async function inTime<T, Late>(
  clock: Clock,
  work: Promise<T>,
  withinMs: number,
  late: Late,
  since?: { whenAborted(begin: () => void): () => void },
): Promise<T | Late> {
  let cancel = () => {}
  let forget = () => {}
  const timeUp = new Promise<Late>((resolve) => {
    const begin = () => {
      cancel = clock.after(withinMs, () => resolve(late))
    }
    if (since) forget = since.whenAborted(begin)
    else begin()
  })
  try {
    return await Promise.race([work, timeUp])
  } finally {
    cancel()
    forget()
  }
}

/** The last instant that a date can hold: in the year 275760. */
export const LAST_INSTANT = 8.64e15

/** A time as recorded in facts: ISO 8601 in UTC, with milliseconds. A later one than a date can hold is the last one. */
export const instant = (milliseconds: number): string =>
  new Date(Math.min(milliseconds, LAST_INSTANT)).toISOString()

/** A timer as a fact holds it, so that it survives the process that set it. */
export interface DurableTimer {
  /** When it is due, as {@link instant}. */
  readonly dueAt: string
  /** How long it runs, in ms. A machine's clock may be wrong, so it never runs longer. */
  readonly delayMs: number
}

/**
 * A timer that is due in `delayMs`, to be held by a fact.
 *
 * @param now Milliseconds since the epoch.
 */
export function durableTimer(now: number, delayMs: number): DurableTimer {
  if (!Number.isFinite(now) || Number.isNaN(Number(delayMs)))
    throw new InvalidInputError({ what: 'The timer', problem: 'its time and its delay must be numbers' })
  const whole = Math.max(0, Math.ceil(delayMs))
  return { dueAt: instant(now + whole), delayMs: whole }
}

/**
 * What is left of a wait that a fact holds, in ms: until its instant, but never longer than was decided. The machine's
 * clock may have been ahead when the instant was written, or be behind now.
 */
export const waitLeft = (dueAt: string, longestMs: number, now: number): number =>
  Math.max(0, Math.min(Date.parse(dueAt) - now || 0, longestMs))
