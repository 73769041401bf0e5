/** Following a log by reading to its end, waiting for more, and reading on: no hand-over from old to live, so no gap. */
import type { Recorded } from '../events/envelope.ts'
import type { EventStore, FactSelection, FollowOptions } from './event-store.ts'
import { wholeNumber } from './read-range.ts'

/** The last readable position, and a way to wait for the next one. */
export class Watermark {
  #position = 0
  #ended = false
  readonly #waiting = new Set<() => void>()

  get position(): number {
    return this.#position
  }

  get ended(): boolean {
    return this.#ended
  }

  advance(position: number): void {
    this.#position = position
    if (this.#waiting.size > 0) this.#wake()
  }

  /** The log is closed: no more facts will come. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** Resolves once the log is past `position`, has ended, or the signal aborts. */
  beyond(position: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#position > position || this.#ended || signal?.aborted) return resolve()
      const finish = () => {
        this.#waiting.delete(finish)
        signal?.removeEventListener('abort', finish)
        resolve()
      }
      this.#waiting.add(finish)
      signal?.addEventListener('abort', finish, { once: true })
    })
  }

  #wake(): void {
    const waiting = [...this.#waiting]
    for (const finish of waiting) finish()
  }
}

/** Follows some of the facts of a log. */
export async function* followOnly(
  store: Pick<EventStore, 'follow'>,
  only: FactSelection,
  options: Omit<FollowOptions, 'only'> = {},
): AsyncGenerator<Recorded> {
  for await (const recorded of store.follow({ ...options, only }))
    if (isSelected(recorded, only)) yield recorded
}

export function isSelected(
  { stream, correlationId }: Pick<Recorded, 'stream' | 'correlationId'>,
  only: FactSelection = {},
): boolean {
  if (only.stream !== undefined && only.stream !== stream) return false
  if (only.correlationId === undefined) return true
  return (
    correlationId === only.correlationId || (correlationId?.startsWith(`${only.correlationId}.`) ?? false)
  )
}

/** In facts. One page of them is read and delivered between two turns of the event loop. */
const PAGE = 128
/** In characters. A page of large facts ends sooner. */
const LARGEST_PAGE = 256 * 1024
/** For the followers that are a little behind the first. */
const KEPT_PAGES = 8

interface FollowedPage {
  readonly facts: readonly Recorded[]
  /** The position after which the next page begins. */
  readonly end: number
  /** What is behind the facts, if it cannot be read. */
  readonly failure?: { readonly cause: unknown }
}

/**
 * The followers of one log. Those that are at the same place share what is read for one of them, and each page waits for
 * a write that was asked for: a hundred followers cost a writer hardly more than one.
 */
export class Following {
  readonly #store: Pick<EventStore, 'readAll'>
  readonly #watermark: Watermark
  readonly #written: () => Promise<void>
  /** The pages read last, by their first and their last position. */
  readonly #pages = new Map<string, Promise<FollowedPage>>()
  #reading: Promise<unknown> = Promise.resolve()
  #turn: Promise<void> = Promise.resolve()
  #count = 0

  /** @param written Resolves when no write is waiting. */
  constructor(
    store: Pick<EventStore, 'readAll'>,
    watermark: Watermark,
    written: () => Promise<void> = async () => {},
  ) {
    this.#store = store
    this.#watermark = watermark
    this.#written = written
  }

  /** Implements a store's `follow`. */
  async *facts(options: FollowOptions = {}): AsyncGenerator<Recorded, void, undefined> {
    for await (const page of this.pages(options)) {
      for (const recorded of page) {
        if (options.signal?.aborted) return
        yield recorded
      }
    }
  }

  /** The same facts in pages. Followers get the same objects, which are frozen. */
  async *pages({
    after = 0,
    signal,
  }: FollowOptions = {}): AsyncGenerator<readonly Recorded[], void, undefined> {
    let position = wholeNumber('after', after)
    this.#count++
    try {
      while (!signal?.aborted && !this.#watermark.ended) {
        while (position < this.#watermark.position) {
          const { facts, end, failure } = await this.#next(position)
          if (signal?.aborted) return
          position = end
          if (facts.length > 0) yield facts
          // The store was closed in the middle of a page: a normal end.
          if (this.#watermark.ended) return
          if (failure) throw failure.cause
        }
        await this.#watermark.beyond(position, signal)
      }
    } finally {
      this.#count--
      if (this.#count === 0) this.#pages.clear()
    }
  }

  async #next(after: number): Promise<FollowedPage> {
    const last = Math.min(this.#watermark.position, after - (after % PAGE) + PAGE)
    const key = `${after} ${last}`
    let page = this.#pages.get(key)
    if (page === undefined) {
      page = this.#read(after, last)
      this.#pages.set(key, page)
      const [oldest = key] = this.#pages.keys()
      if (this.#pages.size > KEPT_PAGES) this.#pages.delete(oldest)
    }
    const read = await page
    // What failed once can succeed for the next follower.
    if (read.failure) this.#pages.delete(key)
    if (this.#count > 1) await this.#ownTurn()
    return read
  }

  /** One page at a time, and a group of appends between two. */
  #read(after: number, last: number): Promise<FollowedPage> {
    const page = this.#reading.then(async () => {
      const enough = new AbortController()
      const advanced = this.#watermark.beyond(this.#watermark.position, enough.signal)
      await Promise.race([this.#written(), advanced])
      enough.abort()
      return this.#load(after, last)
    })
    this.#reading = page
    return page
  }

  /** Never rejects. */
  async #load(after: number, last: number): Promise<FollowedPage> {
    const facts: Recorded[] = []
    let left = LARGEST_PAGE
    try {
      for await (const recorded of this.#store.readAll({ after, to: last })) {
        facts.push(recorded)
        left -= freeze(recorded)
        if (left < 0) return { facts, end: recorded.position }
      }
      return { facts, end: last }
    } catch (cause) {
      return { facts, end: last, failure: { cause } }
    }
  }

  /** Followers take turns of the event loop, so that what waits for an append continues between them. */
  #ownTurn(): Promise<void> {
    this.#turn = this.#turn.then(() => new Promise((resolve) => setImmediate(resolve)))
    return this.#turn
  }
}

/** Freezes a value with all that it contains, and returns about how many characters it has as JSON. */
function freeze(value: unknown): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 4
  let length = 2
  for (const [name, part] of Object.entries(value)) length += name.length + freeze(part)
  Object.freeze(value)
  return length
}
