/** A store whose world ends at an append: from then on nothing that was asked of it is ever answered. */
import type { NewFact, Recorded } from '../events/envelope.ts'
import type { AppendOptions, EventStore } from '../store/event-store.ts'

/** Where a world ends: `before` its n-th append happens, or `after` it happened and before anybody hears of it. */
export interface CrashPoint {
  /** From 1. */
  readonly append: number
  readonly when: 'before' | 'after'
}

export class MortalStore {
  /** What the world sees. Closing it leaves the store open for the next world. */
  readonly store: EventStore
  /** What each append was to write, in order. */
  readonly appends: string[] = []
  /** Resolves when the world has ended. */
  readonly crashed: Promise<void>
  readonly #store: EventStore
  readonly #crash: CrashPoint | undefined
  readonly #working = new Set<Promise<unknown>>()
  #dead = false
  #end: () => void = () => {}

  constructor(store: EventStore, crash?: CrashPoint) {
    this.#store = store
    this.#crash = crash
    this.crashed = new Promise((resolve) => {
      this.#end = resolve
    })
    this.store = this.#wrapped()
  }

  get dead(): boolean {
    return this.#dead
  }

  /** Whether something is being written or read. */
  get busy(): boolean {
    return this.#working.size > 0
  }

  /** Resolves when what had been begun before the end has come to its end in the store. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#working)
  }

  /** Does work of the world, as long as there is one. */
  async whileAlive<T>(work: () => Promise<T>): Promise<T> {
    if (this.#dead) return never()
    const working = work()
    this.#working.add(working)
    try {
      const done = await working
      return this.#dead ? await never<T>() : done
    } catch (error) {
      if (this.#dead) return never()
      throw error
    } finally {
      this.#working.delete(working)
    }
  }

  #wrapped(): EventStore {
    const { storeId, epoch, blobs, snapshots } = this.#store
    const store = this.#store
    return {
      storeId,
      epoch,
      blobs: {
        put: (text) => this.whileAlive(() => blobs.put(text)),
        get: (reference) => this.whileAlive(() => blobs.get(reference)),
      },
      snapshots: {
        load: (stream) => this.whileAlive(() => snapshots.load(stream)),
        save: (stream, snapshot) => this.whileAlive(() => snapshots.save(stream, snapshot)),
        clear: () => this.whileAlive(() => snapshots.clear()),
      },
      append: (stream, facts, options) => this.#append(stream, facts, options),
      read: (stream, options) => this.#items(store.read(stream, options)),
      readAll: (options) => this.#items(store.readAll(options)),
      // It waits for what is to come: that is no work that must be waited for.
      follow: (options) => store.follow(options),
      head: (stream) => this.whileAlive(() => store.head(stream)),
      streams: (options) => this.#items(store.streams(options)),
      [Symbol.asyncDispose]: async () => {},
    }
  }

  #append(stream: string, facts: readonly NewFact[], options?: AppendOptions): Promise<readonly Recorded[]> {
    if (this.#dead) return never()
    this.appends.push(`${facts.map(({ type }) => type).join(' and ')} of ${stream}`)
    const isLast = this.appends.length === this.#crash?.append
    if (isLast && this.#crash?.when === 'before') {
      this.#die()
      return never()
    }
    return this.whileAlive(async () => {
      const recorded = await this.#store.append(stream, facts, options)
      if (isLast) this.#die()
      return recorded
    })
  }

  async *#items<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]()
    try {
      for (;;) {
        const item = await this.whileAlive(() => iterator.next())
        if (item.done) return
        yield item.value
      }
    } finally {
      await iterator.return?.()
    }
  }

  #die(): void {
    this.#dead = true
    this.#end()
  }
}

/** A new one each time: what waits for it can be forgotten together with it. */
export const never = <T>(): Promise<T> => new Promise(() => {})
