/** The running children of one supervisor: started, watched, and stopped within their shutdown times. */
import { type Clock, inTime } from '../../clock.ts'
import { ChildStartError } from '../../events/errors/supervision.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { type ChildData, DEFAULT_SHUTDOWN_MS } from '../../events/options/supervision.ts'
import type { Logger } from '../../logger.ts'
import { crashedBy, type Exit, failureOf, KILLED, SHUTDOWN, type Supervised } from '../engine/exit.ts'

/** One run of a child. Each start makes a new one, so that a late exit of an earlier run is recognized. */
export interface RunningChild {
  readonly data: ChildData
  readonly child: Supervised
}

export class SupervisedChildren {
  readonly #supervisor: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #exited: (running: RunningChild, exit: Exit) => void
  readonly #running = new Map<string, RunningChild>()
  /** Children that were told to stop and have not ended. */
  readonly #stopping = new Set<RunningChild>()
  readonly #leaving = new AbortController()

  /** @param exited Called when a child ends by itself. */
  constructor(
    supervisor: string,
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
    exited: (running: RunningChild, exit: Exit) => void,
  ) {
    this.#supervisor = supervisor
    this.#clock = clock
    this.#logger = logger
    this.#exited = exited
  }

  get(id: string): Supervised | undefined {
    return this.#running.get(id)?.child
  }

  has(id: string): boolean {
    return this.#running.has(id)
  }

  /** In the order of their starts. */
  ids(): readonly string[] {
    return [...this.#running.keys()]
  }

  /** Aborted once no child may start any more, because their supervisor ends. */
  get leaving(): AbortSignal {
    return this.#leaving.signal
  }

  /** Abandons children that are still starting; those that start later are killed. */
  leave(): void {
    this.#leaving.abort()
  }

  /** Throws {@link ChildStartError}. */
  async start(data: ChildData, launch: () => Supervised | Promise<Supervised>): Promise<void> {
    try {
      const running: RunningChild = { data, child: await this.#launch(launch) }
      this.#running.set(data.id, running)
      running.child.watch((exit) => this.#exited(running, exit))
    } catch (error) {
      if (this.#running.has(data.id)) await this.stop(data.id, false)
      const { message: problem, hint } = failureOf(error)
      throw new ChildStartError(
        { supervisor: this.#supervisor, child: data.id, problem, hint },
        { cause: error },
      )
    }
  }

  /** Removes a child that has exited. Returns false for the exit of an earlier run. */
  take(running: RunningChild): boolean {
    const { id } = running.data
    return this.#running.get(id) === running && this.#running.delete(id)
  }

  /**
   * Stops a child and kills it after its shutdown time (`brutal`: at once), or if it fails to stop. Resolves with its exit.
   * Never rejects.
   *
   * @param isForGood Whether it will not be restarted by itself.
   */
  async stop(id: string, isForGood: boolean): Promise<Exit> {
    const running = this.#running.get(id)
    this.#running.delete(id)
    if (!running) return SHUTDOWN
    this.#stopping.add(running)
    const exit = (await this.#shutDown(running)) ?? (await this.#kill(running))
    this.#stopping.delete(running)
    if (isForGood) this.release(running)
    return exit
  }

  /** Kills all children, waiting for none of them. */
  async kill(): Promise<void> {
    this.leave()
    const all = [...this.#running.values(), ...this.#stopping]
    this.#running.clear()
    await Promise.all(all.map((running) => this.#kill(running)))
    for (const running of all) this.release(running)
  }

  /** Tells a child that it will not be restarted by itself. */
  release({ child, data }: RunningChild): void {
    try {
      child.released?.()
    } catch (error) {
      this.#report(data, error)
    }
  }

  /** Its exit, if it stops in time. */
  async #shutDown(running: RunningChild): Promise<Exit | undefined> {
    const { child, data } = running
    if (data.shutdown === 'brutal') return undefined
    const stopping = settled(() => child.stop('shutdown'))
    const stopped =
      data.shutdown === 'infinity'
        ? await stopping
        : await inTime(this.#clock, stopping, data.shutdown, undefined)
    if (!stopped || stopped.error === undefined) return stopped && SHUTDOWN
    this.#report(data, stopped.error)
    await this.#kill(running)
    return crashedBy(stopped.error)
  }

  /** A kill that fails, or never settles, holds up nothing. */
  async #kill({ child, data }: RunningChild): Promise<Exit> {
    const killing = settled(() => child.kill())
    const killed = await inTime(this.#clock, killing, DEFAULT_SHUTDOWN_MS, undefined)
    if (killed && killed.error === undefined) return KILLED
    const error = killed?.error ?? new Error(`kill() did not settle within ${DEFAULT_SHUTDOWN_MS} ms`)
    this.#report(data, error)
    return { ...KILLED, error: failureOf(error) }
  }

  /** OTP's report of a child that did not end as told. */
  #report({ id }: ChildData, error: unknown): void {
    this.#logger.error(
      { supervisor: this.#supervisor, child: id, error },
      'shutdown_error: a child did not end as it was told to',
    )
  }

  async #launch(launch: () => Supervised | Promise<Supervised>): Promise<Supervised> {
    const { signal } = this.#leaving
    if (signal.aborted) throw leavingError()
    const starting = Promise.resolve(launch())
    const child = checkSupervised(await abandonable(starting, signal))
    if (!signal.aborted) return child
    await settled(() => child.kill())
    throw leavingError()
  }
}

const leavingError = () => new Error('its supervisor is stopping')

/** How something ended that may throw, reject, or never settle. */
async function settled(work: () => unknown): Promise<{ readonly error?: unknown }> {
  try {
    await work()
    return {}
  } catch (error) {
    return { error: error ?? new Error('it failed without a reason') }
  }
}

/** The started child, or a rejection once it is no longer wanted; then it is killed when it has started. */
async function abandonable(starting: Promise<Supervised>, signal: AbortSignal): Promise<Supervised> {
  let leave = () => {}
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(leavingError())
    signal.addEventListener('abort', leave, { once: true })
  })
  try {
    return await Promise.race([starting, left])
  } catch (error) {
    if (signal.aborted) starting.then((child) => child.kill()).catch(() => {})
    throw error
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

function checkSupervised(child: Supervised): Supervised {
  for (const method of ['watch', 'stop', 'kill'] as const) {
    if (typeof child?.[method] === 'function') continue
    throw new InvalidInputError({
      what: 'The child that start returned',
      problem: `it has no method ${method}`,
      hint: 'Return an actor from orchestrator.spawn, or an object with watch, stop and kill.',
    })
  }
  return child
}
