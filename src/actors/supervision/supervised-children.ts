/** The running children of one supervisor: started, watched, and stopped within their shutdown times. */
import { type Clock, pause } from '../../clock.ts'
import type { Failure } from '../../events/agent-facts.ts'
import { ChildStartError } from '../../events/errors/supervision.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { ChildData } from '../../events/options/supervision.ts'
import { type Exit, failureOf, KILLED, SHUTDOWN, type Supervised } from '../engine/exit.ts'

/** One run of a child. Each start makes a new one, so that a late exit of an earlier run is recognized. */
export interface RunningChild {
  readonly data: ChildData
  readonly child: Supervised
}

export class SupervisedChildren {
  readonly #supervisor: string
  readonly #clock: Clock
  readonly #exited: (running: RunningChild, exit: Exit) => void
  readonly #running = new Map<string, RunningChild>()
  /** Children that were told to stop and have not ended. */
  readonly #stopping = new Set<RunningChild>()
  readonly #leaving = new AbortController()

  /** @param exited Called when a child ends by itself. */
  constructor(supervisor: string, clock: Clock, exited: (running: RunningChild, exit: Exit) => void) {
    this.#supervisor = supervisor
    this.#clock = clock
    this.#exited = exited
  }

  get(id: string): Supervised | undefined {
    return this.#running.get(id)?.child
  }

  has(id: string): boolean {
    return this.#running.has(id)
  }

  /** Abandons children that are still starting; those that start later are killed. */
  leave(): void {
    this.#leaving.abort()
  }

  /** Throws {@link ChildStartError}. */
  async start(data: ChildData, launch: () => Supervised | Promise<Supervised>): Promise<void> {
    const running: RunningChild = { data, child: await this.#launch(data, launch) }
    this.#running.set(data.id, running)
    running.child.watch((exit) => this.#exited(running, exit))
  }

  /** Removes a child that has exited. Returns false for the exit of an earlier run. */
  take(running: RunningChild): boolean {
    const { id } = running.data
    return this.#running.get(id) === running && this.#running.delete(id)
  }

  /** Stops a child and kills it after its shutdown time (`brutal`: at once). Resolves with its exit. */
  async stop(id: string): Promise<Exit> {
    const running = this.#running.get(id)
    this.#running.delete(id)
    if (!running) return SHUTDOWN
    this.#stopping.add(running)
    try {
      return await this.#end(running)
    } finally {
      this.#stopping.delete(running)
    }
  }

  /** Kills all children, waiting for none of them. */
  async kill(): Promise<void> {
    this.leave()
    const all = [...this.#running.values(), ...this.#stopping]
    this.#running.clear()
    await Promise.all(all.map(({ child }) => child.kill()))
    for (const { child } of all) child.released?.()
  }

  async #end({ child, data }: RunningChild): Promise<Exit> {
    if (data.shutdown !== 'brutal') {
      const stopping = child.stop('shutdown').then(
        () => SHUTDOWN,
        (error) => ({ reason: 'crashed', error: failureOf(error) }) as const,
      )
      if (data.shutdown === 'infinity') return stopping
      const waited = new AbortController()
      const tooLong = pause(this.#clock, data.shutdown, waited.signal).then(() => undefined)
      const exit = await Promise.race([stopping, tooLong])
      waited.abort()
      if (exit) return exit
    }
    await child.kill()
    return KILLED
  }

  async #launch(data: ChildData, launch: () => Supervised | Promise<Supervised>): Promise<Supervised> {
    const refused = (problem: Failure, cause: unknown) =>
      new ChildStartError(
        { supervisor: this.#supervisor, child: data.id, problem: problem.message, hint: problem.hint },
        { cause },
      )
    const { signal } = this.#leaving
    try {
      const starting = Promise.resolve(signal.aborted ? Promise.reject(signal.reason) : launch())
      return checkSupervised(await abandonable(starting, signal))
    } catch (error) {
      throw refused(failureOf(error), error)
    }
  }
}

/** The started child, or a rejection once it is no longer wanted; then it is killed when it has started. */
async function abandonable(starting: Promise<Supervised>, signal: AbortSignal): Promise<Supervised> {
  let leave = () => {}
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(new Error('its supervisor is stopping'))
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
