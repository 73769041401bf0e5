/** A store that simulates a crash of its process at an append: from then on, none of its promises settles. */
import type { NewFact, Recorded } from '../events/envelope.ts'
import type { AppendOptions, EventStore } from '../store/event-store.ts'

/** When to crash: `before` the n-th append is written, or `after` it is written but before its caller is told. */
export interface CrashPoint {
  /** From 1. */
  readonly append: number
  readonly when: 'before' | 'after'
}

export class CrashingStore {
  /** The store to use until the crash. Closing it leaves the underlying store open. */
  readonly store: EventStore
  /** A description of each append, in order. */
  readonly appends: string[] = []
  /** Resolves at the crash. */
  readonly crashed: Promise<void>
  readonly #store: EventStore
  readonly #crash: CrashPoint | undefined
  readonly #pending = new Set<Promise<unknown>>()
  #dead = false
  #resolveCrashed: () => void = () => {}

  constructor(store: EventStore, crash?: CrashPoint) {
    this.#store = store
    this.#crash = crash
    this.crashed = new Promise((resolve) => {
      this.#resolveCrashed = resolve
    })
    this.store = this.#wrapped()
  }

  get dead(): boolean {
    return this.#dead
  }

  /** Whether a read or a write is in progress. */
  get busy(): boolean {
    return this.#pending.size > 0
  }

  /** Resolves when the operations that began before the crash have finished in the underlying store. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending)
  }

  /** Does work, and settles only if there is no crash meanwhile. */
  async whileAlive<T>(work: () => Promise<T>): Promise<T> {
    if (this.#dead) return never()
    const pending = work()
    this.#pending.add(pending)
    try {
      const result = await pending
      return this.#dead ? await never<T>() : result
    } catch (error) {
      if (this.#dead) return never()
      throw error
    } finally {
      this.#pending.delete(pending)
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
      // Not counted as pending: it waits for facts that may never come.
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
    this.#resolveCrashed()
  }
}

/** A promise that never settles. A new one each time, so that it can be collected together with what waits for it. */
export const never = <T>(): Promise<T> => new Promise(() => {})
