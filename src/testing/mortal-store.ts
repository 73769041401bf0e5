/** A store for a process that dies: from its death on, none of the store's promises settles. What it had written stays. */
import { Mailbox } from '../actors/engine/mailbox.ts'
import type { Recorded } from '../events/envelope.ts'
import type { EventStore, StreamAppend } from '../store/event-store.ts'

/**
 * When to die: `before` the n-th append is written, or `after` it is written but before its caller is told. `appendAll` is
 * one append.
 */
export interface CrashPoint {
  /** From 1. */
  readonly append: number
  readonly when: 'before' | 'after'
}

/** What happens to the operations of a mortal store. */
export interface MortalStoreOptions {
  /** When the process dies by itself. Default: only by `die`. */
  readonly crash?: CrashPoint
  /** Resolves when an operation may go on. Default: at once. */
  readonly turn?: (what: string) => Promise<void>
  /** The error of an append that cannot be written now. Default: none. */
  readonly refusal?: () => Error | undefined
  /** Called with the facts of each append once they are durable, before its caller is told. */
  readonly written?: (facts: readonly Recorded[]) => void
}

/**
 * A store for a process that dies.
 *
 * @example
 * const lasting = memoryStore()
 * const mortal = new MortalStore(lasting, { crash: { append: 3, when: 'after' } })
 * void Orchestrator.open({ store: mortal.store }).then(work)
 * await mortal.died
 * await Orchestrator.open({ store: lasting }) // resumes what the first one left behind
 */
export class MortalStore {
  /** The store to use until the death. Closing it leaves the underlying store open. */
  readonly store: EventStore
  /** A description of each append, in order. */
  readonly appends: string[] = []
  /** Resolves at the death. */
  readonly died: Promise<void>
  readonly #store: EventStore
  readonly #turn: (what: string) => Promise<void>
  readonly #refusal: () => Error | undefined
  readonly #written: (facts: readonly Recorded[]) => void
  readonly #pending = new Set<Promise<unknown>>()
  /** Appends are written in the order of their calls, and their callers are told in that order. */
  readonly #writing = new Mailbox()
  readonly #telling = new Mailbox()
  #crash: CrashPoint | undefined
  #dead = false
  #resolveDied: () => void = () => {}

  constructor(store: EventStore, options: MortalStoreOptions = {}) {
    const { crash, turn = async () => {}, refusal = () => undefined, written = () => {} } = options
    this.#store = store
    this.#crash = crash
    this.#turn = turn
    this.#refusal = refusal
    this.#written = written
    this.died = new Promise((resolve) => {
      this.#resolveDied = resolve
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

  /** Resolves when the operations that began before the death have finished in the underlying store. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending)
  }

  /** The process dies now. */
  die(): void {
    this.#dead = true
    this.#resolveDied()
  }

  /** The process will die at an append, counted from now. */
  dieAt({ append, when }: CrashPoint): void {
    this.#crash = { append: this.appends.length + append, when }
  }

  /** It will not die at an append. */
  disarm(): void {
    this.#crash = undefined
  }

  /** Does work, and settles only if the process lives on. */
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
    const claim = store.claim?.bind(store)
    const when = <T>(what: string, work: () => Promise<T>) =>
      this.whileAlive(async () => {
        await this.#turn(what)
        return work()
      })
    return {
      storeId,
      epoch,
      blobs: {
        put: (text) => when('write a blob', () => blobs.put(text)),
        get: (reference) => when('read a blob', () => blobs.get(reference)),
      },
      snapshots: {
        load: (stream) => when(`read the snapshot of ${stream}`, () => snapshots.load(stream)),
        save: (stream, snapshot) =>
          when(`write a snapshot of ${stream}`, () => snapshots.save(stream, snapshot)),
        clear: () => when('clear the snapshots', () => snapshots.clear()),
      },
      append: async (stream, facts, options) => (await this.#append([{ ...options, stream, facts }])).flat(),
      appendAll: (appends) => this.#append(appends),
      ...(claim && { claim: (stream: string) => when(`claim ${stream}`, () => claim(stream)) }),
      read: (stream, options) => this.#items(`read ${stream}`, () => store.read(stream, options)),
      readAll: (options) => this.#items('read the log', () => store.readAll(options)),
      // Not counted as pending: it waits for facts that may never come.
      follow: (options) => store.follow(options),
      head: (stream) => when('read a head', () => store.head(stream)),
      streams: (options) => this.#items('list the streams', () => store.streams(options)),
      [Symbol.asyncDispose]: async () => {},
    }
  }

  #append(appends: readonly StreamAppend[]): Promise<readonly (readonly Recorded[])[]> {
    if (this.#dead) return never()
    const what = appends
      .map(({ stream, facts }) => `${facts.map(({ type }) => type).join(' and ')} of ${stream}`)
      .join(', ')
    const number = this.appends.push(what)
    return this.whileAlive(() => {
      const written = this.#writing.post(async () => {
        await this.#turn(`append ${what}`)
        const isLast = number === this.#crash?.append
        if (isLast && this.#crash?.when === 'before') this.die()
        if (this.#dead) return []
        const refused = this.#refusal()
        if (refused) throw refused
        const recorded = await this.#store.appendAll(appends)
        this.#written(recorded.flat())
        if (isLast) this.die()
        return recorded
      })
      // It may fail before those before it have been told.
      written.catch(() => {})
      return this.#telling.post(async () => {
        const recorded = await written
        await this.#turn(`tell of ${what}`)
        return recorded
      })
    })
  }

  async *#items<T>(what: string, open: () => AsyncIterable<T>): AsyncGenerator<T> {
    await this.whileAlive(() => this.#turn(what))
    const iterator = open()[Symbol.asyncIterator]()
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
}

/** A promise that never settles. A new one each time, so that it can be collected together with what waits for it. */
export const never = <T>(): Promise<T> => new Promise(() => {})
