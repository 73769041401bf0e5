/** The readers that follow a log through its owner. Before the log is closed, each of them gets all of it. */
import type { Recorded } from '../events/envelope.ts'
import type { FactSelection, FollowOptions } from '../store/event-store.ts'
import { isSelected } from '../store/follow.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'

interface Follower {
  position: number
  readonly stop: AbortController
}

export class Followers {
  readonly #store: ChainedStore
  /** Of each page, what those get who follow the same facts: an empty buffer if it has none of them. */
  readonly #texts = new WeakMap<readonly Recorded[], Map<string, Buffer>>()
  readonly #following = new Set<Follower>()
  /** Every follower ends after this position. */
  #last = Number.POSITIVE_INFINITY

  constructor(store: ChainedStore) {
    this.#store = store
  }

  /** The facts after a position as NDJSON, in pages. What a reader has not taken keeps one of them, however long that is. */
  async *follow(after: number, only: FactSelection, signal: AbortSignal): AsyncGenerator<Buffer> {
    const follower: Follower = { position: after, stop: new AbortController() }
    const stop = () => follower.stop.abort()
    signal.addEventListener('abort', stop, { once: true })
    this.#following.add(follower)
    try {
      if (after >= this.#last) return
      for await (const page of pages(this.#store, { after, signal: follower.stop.signal })) {
        const encoded = this.#encoded(page, only)
        if (encoded.length > 0) yield encoded
        follower.position = page.at(-1)?.position ?? follower.position
        if (follower.position >= this.#last) return
      }
    } finally {
      this.#following.delete(follower)
      signal.removeEventListener('abort', stop)
    }
  }

  /** Each page is encoded once, for all who get the same of it. */
  #encoded(page: readonly Recorded[], only: FactSelection): Buffer {
    const texts = this.#texts.get(page) ?? new Map<string, Buffer>()
    this.#texts.set(page, texts)
    const key = `${only.stream ?? ''} ${only.correlationId ?? ''}`
    const selected = () => page.filter((fact) => isSelected(fact, only))
    const encoded =
      texts.get(key) ??
      Buffer.from(
        selected()
          .map((fact) => `${JSON.stringify(fact)}\n`)
          .join(''),
      )
    texts.set(key, encoded)
    return encoded
  }

  /** Ends each follower when it has reached the head of the log, which must not grow any more. */
  async finish(): Promise<void> {
    this.#last = await this.#store.head()
    for (const { position, stop } of this.#following) if (position >= this.#last) stop.abort()
  }
}

async function* pages(store: ChainedStore, options: FollowOptions): AsyncGenerator<readonly Recorded[]> {
  if (store.followPages) yield* store.followPages(options)
  else for await (const recorded of store.follow(options)) yield [recorded]
}
