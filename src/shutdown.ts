/** Shuts a service down: it accepts nothing new, finishes what it can in time, and leaves the rest in the log. */
import { constants } from 'node:os'
import { pause, systemClock } from './clock.ts'
import { InvalidInputError } from './events/errors/usage.ts'
import { reportToHost } from './events/listener.ts'
import { checkArgument, checkOptionsOf, type KnownKeys, named } from './events/options/decoding.ts'
import type { Orchestrator } from './orchestrator.ts'

/** Options of `closeOnSignal`. */
export interface ShutdownOptions {
  /** Default: SIGTERM and SIGINT. */
  readonly signals?: readonly NodeJS.Signals[]
  /** How long running work may take to finish, in ms. Default: 25 s, because most service managers wait for 30 s. */
  readonly finishWithinMs?: number
  /** Called first, to stop the sources of new work, such as a server or the consumer of a queue. */
  readonly before?: () => Promise<void> | void
}

const OPTIONS: KnownKeys<ShutdownOptions> = {
  signals: 'a list',
  finishWithinMs: 'a number of ms, 0 or more',
  before: 'a function',
}

/** What no process can listen to. */
const DEAF_TO: readonly string[] = ['SIGKILL', 'SIGSTOP']

/** The shutdown that `closeOnSignal` has prepared. */
export interface Shutdown {
  /** Resolves when the log is closed, also by the program itself; rejects if closing failed. */
  readonly closed: Promise<void>
  /** Shuts down as the first signal does, but with a time of its own: 0 closes at once, Infinity waits for all running work. */
  begin(options?: Pick<ShutdownOptions, 'finishWithinMs'>): void
  /** Removes the signal handlers. */
  remove(): void
}

/**
 * Closes the orchestrator when the process receives a signal. The next opening resumes work that did not finish in time. A
 * second signal closes at once. It does not exit: once the log is closed, a process without other work ends by itself, and
 * signals do again what they did before. Throws InvalidInputError.
 *
 * @example
 * const server = createServer(handle).listen(8080)
 * closeOnSignal(orchestrator, { before: () => new Promise((done) => server.close(() => done())) })
 */
export function closeOnSignal(orchestrator: Orchestrator, options: ShutdownOptions = {}): Shutdown {
  checkArgument('The orchestrator', orchestrator, 'an object')
  checkArgument('The orchestrator', orchestrator.store, 'a store')
  checkOptionsOf('closeOnSignal', options, OPTIONS)
  const { signals = ['SIGTERM', 'SIGINT'], finishWithinMs = 25_000, before = () => {} } = options
  for (const signal of signals) checkSignal(signal)
  let isAsked = false
  let within = finishWithinMs
  const remove = () => {
    for (const signal of signals) process.off(signal, end)
  }
  const timeUp = new AbortController()
  const finish = async () => {
    const stopped = Promise.all([
      // Running work finishes also if the sources of new work cannot be stopped.
      Promise.resolve().then(before).catch(reportToHost),
      orchestrator.drain({ withinMs: within }),
    ])
    // `before` may never resolve: a server with a keep-alive connection does not close by itself.
    await Promise.race([stopped, pause(systemClock, within, timeUp.signal)])
    timeUp.abort()
  }
  let end = () => {}
  const closed = new Promise<void>((resolve, reject) => {
    const close = () => orchestrator.close().finally(remove).then(resolve, reject)
    end = () => {
      const isRepeated = isAsked
      isAsked = true
      if (isRepeated) timeUp.abort()
      const finished = isRepeated ? Promise.resolve() : finish()
      void finished.catch(() => {}).then(close)
    }
    void orchestrator.closed.then(() => {
      timeUp.abort()
      if (isAsked) return
      isAsked = true
      // The program that has closed it knows if that failed.
      closed.catch(() => {})
      void close()
    })
  })
  for (const signal of signals) process.on(signal, end)
  return {
    closed,
    begin(options = {}) {
      checkOptionsOf('begin', options, OPTIONS)
      if (!isAsked) within = options.finishWithinMs ?? finishWithinMs
      // At once ends a shutdown that has begun, as a second signal does.
      if (!isAsked || options.finishWithinMs === 0) end()
    },
    remove,
  }
}

function checkSignal(signal: string): void {
  if (Object.hasOwn(constants.signals, signal) && !DEAF_TO.includes(signal)) return
  const problem = `${named(signal)} is no signal that a process can listen to`
  throw new InvalidInputError({ what: 'signals', problem, hint: 'As in SIGTERM.' })
}
