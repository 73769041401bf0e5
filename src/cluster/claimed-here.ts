/** What lives in this worker: each has its stream claimed before it is used, and its work ends at once if it was lost. */
import { steadyTime, systemClock } from '../clock.ts'
import { Fenced } from '../events/errors/store.ts'
import type { ClaimedLog } from './claims.ts'

export abstract class ClaimedHere {
  readonly #log: ClaimedLog
  readonly #here = new Set<string>()
  /** Those whose work was ended, because another worker has them or may have, each since when. */
  readonly #lost = new Map<string, number>()
  /** Aborted when one is lost or has left. */
  readonly #stays = new Map<string, AbortController>()

  constructor(log: ClaimedLog) {
    this.#log = log
  }

  /** The stream that is claimed for one of them. */
  protected abstract streamOf(id: string): string
  /** Ends what this process does for it, and records nothing. */
  protected abstract release(id: string): Promise<void>

  get size(): number {
    return this.#here.size
  }

  get ids(): Iterable<string> {
    return this.#here
  }

  /** Whether it lives here. */
  has(id: string): boolean {
    return this.#here.has(id) && !this.#lost.has(id)
  }

  /** Those whose work was ended at least so long ago, and that have not left. */
  lostFor(ms: number): readonly string[] {
    const before = steadyTime(systemClock) - ms
    return [...this.#lost].flatMap(([id, at]) => (at <= before ? [id] : []))
  }

  /** By which the engine knows it. */
  addressOf(id: string): string {
    return id
  }

  /** What the engine has given to this worker. */
  enter(address: string): Promise<void> {
    return this.claim(address)
  }

  /** What the engine takes away. */
  leave(address: string): Promise<void> {
    return this.letGo(address)
  }

  protected async claim(id: string): Promise<void> {
    await this.#log.claim(this.streamOf(id))
    this.#here.add(id)
    this.#stays.set(id, new AbortController())
    this.#lost.delete(id)
    // What was read of it here before.
    await this.release(id)
  }

  protected async letGo(id: string): Promise<void> {
    await this.release(id)
    this.#log.release(this.streamOf(id))
    this.#here.delete(id)
    this.#lost.delete(id)
    this.#stays.get(id)?.abort()
    this.#stays.delete(id)
  }

  /** Ends the work of some at once: those who wait for them ask again. */
  async lose(ids: Iterable<string> = this.#here): Promise<void> {
    await Promise.all(
      [...ids].map(async (id) => {
        if (!this.has(id)) return
        this.#lost.set(id, steadyTime(systemClock))
        this.#stays.get(id)?.abort()
        await this.release(id)
      }),
    )
  }

  /** Resolves when it does not live here any more. */
  protected whenGone(id: string): Promise<void> {
    const signal = this.#stays.get(id)?.signal
    return new Promise((resolve) => {
      if (!signal || signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** The same of those whose streams are among these. */
  loseStreams(streams: readonly string[]): Promise<void> {
    return this.lose([...this.#here].filter((id) => streams.includes(this.streamOf(id))))
  }

  protected assertHere(id: string): void {
    if (!this.has(id)) throw new Fenced({ stream: this.streamOf(id) })
  }
}
