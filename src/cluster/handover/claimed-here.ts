/** What lives in this worker: each has its stream claimed before it is used, and its work ends at once if it was lost. */
import { steadyTime, systemClock } from '../../clock.ts'
import { Fenced } from '../../events/errors/store.ts'
import type { ClaimedLog } from './claims.ts'

export abstract class ClaimedHere {
  readonly #log: ClaimedLog
  readonly #here = new Set<string>()
  /** Those whose work was ended, because another worker has them or may have, each since when. */
  readonly #lost = new Map<string, number>()
  /** Aborted when one is lost or has left. */
  readonly #stays = new Map<string, AbortController>()
  /** The addresses that have entered and not left, those included that are entering. */
  readonly #entries = new Map<string, Entry>()
  /** The last of what enters, returns or leaves, which they do one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>()
  /** Those who wait until some have left. */
  #leavings: (() => void)[] = []

  constructor(log: ClaimedLog) {
    this.#log = log
  }

  /** The stream that is claimed for one of them. */
  protected abstract streamOf(id: string): string
  /** Ends what this process does for it, and records nothing. */
  protected abstract release(id: string): Promise<void>
  /** Lets go of it once what it does here has ended, or has had its time. */
  protected abstract depart(address: string): Promise<void>

  /** Claims it, if it belongs here. */
  protected arrive(address: string): Promise<void> {
    return this.claim(address)
  }

  /** Called when it has arrived: nothing waits for this but who asked for it. *Contract:* never rejects. */
  protected async entered(_address: string): Promise<void> {}

  /** By which the engine knows it. */
  addressOf(id: string): string {
    return id
  }

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

  /**
   * Has it live here, unless it is not for this worker any more: another one may have claimed it by then.
   *
   * *Contract:* each that has entered leaves.
   */
  async enter(address: string, isOurs = () => true): Promise<void> {
    const { times = 0 } = this.#entries.get(address) ?? {}
    this.#entries.set(address, { times: times + 1, isOurs })
    try {
      await this.inTurn(address, () => (this.isOurs(address) ? this.arrive(address) : NOTHING))
    } catch (error) {
      this.#left(address)
      throw error
    }
    await this.entered(address)
  }

  /** Has it leave once what it does here has ended, unless it has entered once more. */
  leave(address: string): Promise<void> {
    return this.inTurn(address, async () => {
      try {
        if (this.#entries.get(address)?.times === 1) await this.depart(address)
      } finally {
        this.#left(address)
      }
    })
  }

  /** Those that were lost at least so many milliseconds ago. */
  lostFor(ms: number): readonly string[] {
    const before = steadyTime(systemClock) - ms
    return [...this.#lost].flatMap(([id, at]) => (at <= before ? [id] : []))
  }

  /** Claims one of them again, if it is for this worker. */
  regain(id: string): Promise<void> {
    const address = this.addressOf(id)
    return this.inTurn(address, () =>
      this.#lost.has(id) && this.isOurs(address) ? this.arrive(address) : NOTHING,
    )
  }

  /** Resolves when none of these lives here, nor is about to. */
  async without(isOne: (address: string) => boolean): Promise<void> {
    while ([...this.#entries.keys()].some(isOne))
      await new Promise<void>((resolve) => this.#leavings.push(resolve))
  }

  /** Ends the work of some at once: those who wait for them ask again. */
  async lose(ids: Iterable<string> = this.#here): Promise<void> {
    await Promise.all(
      [...ids].map(async (id) => {
        if (!this.has(id)) return
        const stream = this.streamOf(id)
        const token = this.#log.tokens.get(stream)
        this.#lost.set(id, steadyTime(systemClock))
        this.#stays.get(id)?.abort()
        await this.release(id)
        // The database may be out of reach, and nobody waits for it.
        void this.#log.release(stream, token)
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

  /** Whether it was claimed here, and has not left, also if it was lost since. */
  protected isClaimed(id: string): boolean {
    return this.#here.has(id)
  }

  /** Whether it has entered and not left, and is still for this worker. */
  protected isOurs(address: string): boolean {
    return this.#entries.get(address)?.isOurs() ?? false
  }

  /** Does nothing if it is not for this worker any more when another one has let go of it. */
  protected async claim(id: string): Promise<void> {
    // From now on: what lets go of it for another address leaves this one alone.
    this.#stays.get(id)?.abort()
    this.#stays.set(id, new AbortController())
    const address = this.addressOf(id)
    if (!(await this.#log.take(this.streamOf(id), () => this.isOurs(address)))) return
    this.#here.add(id)
    this.#lost.delete(id)
    try {
      // What was read of it here before.
      await this.release(id)
    } catch (error) {
      // Nobody else could have it as long as this worker lives.
      await this.letGo(id).catch(() => {})
      throw error
    }
  }

  protected async letGo(id: string): Promise<void> {
    const stay = this.#stays.get(id)
    try {
      await this.release(id)
    } finally {
      // It may be claimed once more meanwhile, by another address.
      if (this.#stays.get(id) === stay) {
        this.#here.delete(id)
        this.#lost.delete(id)
        stay?.abort()
        this.#stays.delete(id)
        await this.#log.release(this.streamOf(id))
      }
    }
  }

  #left(address: string): void {
    const entry = this.#entries.get(address)
    if (entry && entry.times > 1) this.#entries.set(address, { ...entry, times: entry.times - 1 })
    else this.#entries.delete(address)
    for (const wake of this.#leavings.splice(0)) wake()
  }

  protected inTurn(address: string, work: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(address) ?? NOTHING
    const turn = before.then(work)
    const over = turn
      .catch(() => {})
      .then(() => {
        if (this.#turns.get(address) === over) this.#turns.delete(address)
      })
    this.#turns.set(address, over)
    return turn
  }
}

interface Entry {
  /** The engine may build one again before it ends it. */
  readonly times: number
  /** Whether it is for this worker. */
  readonly isOurs: () => boolean
}

const NOTHING = Promise.resolve()
