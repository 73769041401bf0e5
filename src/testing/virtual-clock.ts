/** A clock that a test advances by hand: waiting a day takes no time, and timers fire in the order they are due. */
import { setImmediate } from 'node:timers'
import type { Clock } from '../clock.ts'

export interface VirtualClock extends Clock {
  /** Milliseconds that have passed, whatever the time was set to. */
  monotonic(): number
  /**
   * Advances time by `ms` and fires the timers that become due, in order. Promises that a timer resolves, and timers that
   * they set, run before the next one. Does not wait for the disk or the network.
   */
  advance(ms: number): Promise<void>
  /** Advances time to the next timer and fires that one, after those in the background that are due by then. Returns false if there is none. */
  fireNext(): boolean
  /** Sets the time of day, in milliseconds since the epoch, as a user or a time server does. Timers keep their delays. */
  set(time: number): void
  /** The number of pending timers, without those in the background. */
  readonly pending: number
  /** When the next of them is due, in milliseconds since the epoch; null if there is none. */
  readonly nextAt: number | null
}

/** Options of `virtualClock`. */
export interface VirtualClockOptions {
  /** The time that it shows, in milliseconds since the epoch. Default: 2026-01-01. */
  readonly start?: number
  /** A number from 0 to 1, for which of the timers due at the same time fires first. Default: the one set first. */
  readonly random?: () => number
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
 * @param options Its start, if it is a number.
 * @example
 * const clock = virtualClock()
 * clock.after(60_000, () => fired.push('a minute'))
 * await clock.advance(60_000)
 */
export function virtualClock(options: number | VirtualClockOptions = {}): VirtualClock {
  const { start = Date.UTC(2026, 0, 1), random } = typeof options === 'number' ? { start: options } : options
  let passed = 0
  /** What the time of day is ahead of the time that has passed. */
  let offset = start
  const timers = new Set<Timer>()
  const background = new Set<Timer>()

  /** Of timers due at the same time, the one set first unless chance decides: a Set keeps insertion order. */
  const earliest = (among: Iterable<Timer> = timers): Timer | undefined => {
    let found: Timer | undefined
    for (const timer of among) if (!found || timer.dueAt < found.dueAt) found = timer
    return found
  }
  const next = (): Timer | undefined => {
    const first = earliest()
    if (!first || !random) return first
    const equal = [...timers].filter(({ dueAt }) => dueAt === first.dueAt)
    return equal[Math.min(equal.length - 1, Math.floor(random() * equal.length))]
  }
  const fire = (timer: Timer) => {
    if (timers.delete(timer) || background.delete(timer)) timer.fire()
  }
  const fireAtItsTime = (timer: Timer) => {
    passed = Math.max(passed, timer.dueAt)
    fire(timer)
  }

  return {
    now: () => passed + offset,
    monotonic: () => passed,
    after(delayMs, callback) {
      const timer: Timer = { dueAt: passed + Math.max(0, delayMs), fire: callback }
      timers.add(timer)
      if (delayMs <= 0) setImmediate(() => fire(timer))
      return () => {
        timers.delete(timer)
      }
    },
    background(delayMs, callback) {
      const timer: Timer = { dueAt: passed + Math.max(0, delayMs), fire: callback }
      background.add(timer)
      return () => {
        background.delete(timer)
      }
    },
    async advance(ms) {
      const target = passed + ms
      await settle()
      const nextOfAll = () => {
        const [first, behind] = [next(), earliest(background)]
        return first && !(behind && behind.dueAt < first.dueAt) ? first : behind
      }
      for (let timer = nextOfAll(); timer && timer.dueAt <= target; timer = nextOfAll()) {
        fireAtItsTime(timer)
        await settle()
      }
      passed = Math.max(passed, target)
    },
    fireNext() {
      const timer = next()
      if (!timer) return false
      for (
        let behind = earliest(background);
        behind && behind.dueAt <= timer.dueAt;
        behind = earliest(background)
      )
        fireAtItsTime(behind)
      fireAtItsTime(timer)
      return true
    },
    set(time) {
      offset = time - passed
    },
    get pending() {
      return timers.size
    },
    get nextAt() {
      const first = earliest()
      return first === undefined ? null : first.dueAt + offset
    },
  }
}
