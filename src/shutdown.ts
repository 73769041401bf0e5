/** How a service ends: it takes nothing new, finishes what it can in the time there is, and leaves the rest durable. */
import { pause, systemClock } from './clock.ts'
import type { Orchestrator } from './orchestrator.ts'

/** Options of `closeOnSignal`. */
export interface ShutdownOptions {
  /** Default: SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[]
  /** How long what was taken may go on, in ms. Default: 25 s, as 30 s is what most supervisors of services wait. */
  readonly finishWithinMs?: number
  /** Done first: stop whatever brings new work, such as a server or the consumer of a queue. */
  readonly before?: () => Promise<void> | void
}

export interface Shutdown {
  /** Resolves when the log is closed; rejects when that went wrong. */
  readonly closed: Promise<void>
  /** Takes the handlers away. */
  remove(): void
}

/**
 * Closes the orchestrator when the system asks the process to end. What is not finished in time is gone on with by the
 * next opening. A second signal closes at once. It exits nothing: when the log is closed, a process without other work ends
 * by itself.
 *
 * @example
 * const server = createServer(handle).listen(8080)
 * closeOnSignal(orchestrator, { before: () => new Promise((done) => server.close(() => done())) })
 */
export function closeOnSignal(
  orchestrator: Orchestrator,
  { signals = ['SIGTERM', 'SIGINT'], finishWithinMs = 25_000, before = () => {} }: ShutdownOptions = {},
): Shutdown {
  let isAsked = false
  const remove = () => {
    for (const signal of signals) process.off(signal, end)
  }
  const finish = async () => {
    const timeUp = new AbortController()
    const stopped = Promise.all([before(), orchestrator.drain({ withinMs: finishWithinMs })])
    // A server with a connection that stays open never ends by itself.
    await Promise.race([stopped, pause(systemClock, finishWithinMs, timeUp.signal)])
    timeUp.abort()
  }
  let end = () => {}
  const closed = new Promise<void>((resolve, reject) => {
    end = () => {
      const isRepeated = isAsked
      isAsked = true
      const finished = isRepeated ? Promise.resolve() : finish()
      finished
        .catch(() => {})
        .then(() => orchestrator.close())
        .finally(remove)
        .then(resolve, reject)
    }
  })
  for (const signal of signals) process.on(signal, end)
  return { closed, remove }
}
