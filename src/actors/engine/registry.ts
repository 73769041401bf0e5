/**
 * The actors of one kind that live in this process, by id: activated by use, and passivated when they have been quiet for a
 * while or are too many, the one used longest ago first. A handle that is held elsewhere stays the one of its id.
 */
import { type Clock, inBackground, soon, steadyTime } from '../../clock.ts'

export interface Resident {
  /** Whether nothing needs it in memory now. */
  readonly isIdle: boolean
  /** Whether it is in memory. */
  readonly isHere: boolean
  /** Loads it unless it is loaded. */
  use(): Promise<unknown>
  /** Evicts it from memory. It loads again when it is used. */
  rest(): void
}

export interface Residence {
  /** How many may be in memory although they are idle. */
  readonly most: number
  /** How long an idle one stays in memory, in ms. */
  readonly quietMs: number
}

/** How many of the others are looked at for each use. */
const LOOKS = 4

export class Registry<T extends Resident> {
  readonly #load: (id: string) => Promise<T>
  readonly #clock: Clock
  readonly #residence: Residence
  readonly #loading = new Map<string, Promise<T>>()
  readonly #living = new Map<string, T>()
  /** Of those that may be idle: when they were last used, in that order. */
  readonly #used = new Map<string, number>()
  /** The handles of those that are not in memory, as long as a user holds them. */
  readonly #resting = new Map<string, WeakRef<T>>()
  readonly #dropped = new FinalizationRegistry<string>((id) => {
    if (this.#resting.get(id)?.deref() === undefined) this.#resting.delete(id)
  })
  #stopTimer: (() => void) | undefined
  #isTrimming = false
  /** Since the last trim. */
  #uses = 0
  #closed = false

  constructor(load: (id: string) => Promise<T>, clock: Clock, residence: Residence) {
    this.#load = load
    this.#clock = clock
    this.#residence = residence
  }

  /** The one with this id, in memory from now on. One that could not be loaded is loaded again by the next call. */
  get(id: string): Promise<T> {
    const living = this.#living.get(id)
    if (living?.isHere && !this.#loading.has(id)) {
      this.used(id, living)
      return Promise.resolve(living)
    }
    const loading = this.#loading.get(id) ?? this.#begin(id)
    this.#loading.set(id, loading)
    return loading
  }

  /** The one with this id, if it is in memory. */
  peek(id: string): T | undefined {
    return this.#living.get(id)
  }

  /** Those in memory now. */
  present(): Iterable<T> {
    return this.#living.values()
  }

  /** Those in memory, once they are loaded. */
  async living(): Promise<readonly T[]> {
    await Promise.allSettled(this.#loading.values())
    return [...this.#living.values()]
  }

  /** Those in memory, and those of which a user holds the handle. */
  async known(): Promise<readonly T[]> {
    const living = await this.living()
    return [...living, ...[...this.#resting.values()].flatMap((handle) => handle.deref() ?? [])]
  }

  /** The one with this id is in memory, and was used just now. */
  used(id: string, resident: T): void {
    if (this.#closed) return
    this.#living.set(id, resident)
    this.#resting.delete(id)
    this.#used.delete(id)
    this.#used.set(id, steadyTime(this.#clock))
    this.#uses += 1
    if (this.#isOver) {
      this.#trim(LOOKS)
      this.#trimLater()
    }
    this.#watch()
  }

  /** Another one may have this id from now on. */
  forget(id: string): void {
    for (const map of [this.#living, this.#used, this.#resting]) map.delete(id)
  }

  /** Passivates no more. */
  close(): void {
    this.#closed = true
    this.#stopTimer?.()
  }

  #begin(id: string): Promise<T> {
    const known = this.#living.get(id) ?? this.#resting.get(id)?.deref()
    const loading = known ? known.use().then(() => known) : this.#load(id)
    return loading.finally(() => this.#loading.delete(id))
  }

  get #isOver(): boolean {
    return this.#living.size > this.#residence.most
  }

  /** @param looks How many may be looked at: the busy ones are many at times. */
  #trim(looks: number): void {
    let left = looks
    this.#passivate(() => this.#isOver && left-- > 0)
  }

  /** What has just ended its work may be idle in a later turn. */
  #trimLater(): void {
    if (this.#isTrimming) return
    this.#isTrimming = true
    soon(this.#clock, () => {
      this.#isTrimming = false
      const looks = LOOKS * this.#uses
      this.#uses = 0
      this.#trim(looks)
    })
  }

  /** Passivates the idle ones, in the order of their last use, as long as the next one is due. Busy ones go to the end. */
  #passivate(isDue: (usedAt: number) => boolean): void {
    const now = steadyTime(this.#clock)
    for (const [id, usedAt] of this.#used) {
      if (this.#closed || !isDue(usedAt)) return
      this.#used.delete(id)
      const resident = this.#living.get(id)
      if (!resident) continue
      if (!resident.isIdle) {
        this.#used.set(id, now)
        continue
      }
      this.#living.delete(id)
      this.#resting.set(id, new WeakRef(resident))
      this.#dropped.unregister(resident)
      this.#dropped.register(resident, id, resident)
      resident.rest()
    }
  }

  #watch(): void {
    if (this.#stopTimer) return
    const [oldest] = this.#used.values()
    if (oldest === undefined) return
    const { quietMs } = this.#residence
    const leftMs = oldest + quietMs - steadyTime(this.#clock)
    this.#stopTimer = inBackground(this.#clock, Math.max(1, leftMs), () => {
      this.#stopTimer = undefined
      const now = steadyTime(this.#clock)
      this.#passivate((usedAt) => usedAt + quietMs <= now)
      this.#watch()
    })
  }
}
