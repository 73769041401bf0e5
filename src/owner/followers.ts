/** The readers that follow a log through its owner. Before the log is closed, each of them gets all of it. */
import type { Recorded } from '../events/envelope.ts'
import type { EventStore } from '../store/event-store.ts'

interface Follower {
  position: number
  readonly stop: AbortController
}

export class Followers {
  readonly #store: EventStore
  readonly #following = new Set<Follower>()
  /** Every follower ends after this position. */
  #last = Number.POSITIVE_INFINITY

  constructor(store: EventStore) {
    this.#store = store
  }

  async *follow(after: number, signal: AbortSignal): AsyncGenerator<Recorded> {
    const follower: Follower = { position: after, stop: new AbortController() }
    const stop = () => follower.stop.abort()
    signal.addEventListener('abort', stop, { once: true })
    this.#following.add(follower)
    try {
      if (after >= this.#last) return
      for await (const recorded of this.#store.follow({ after, signal: follower.stop.signal })) {
        yield recorded
        follower.position = recorded.position
        if (follower.position >= this.#last) return
      }
    } finally {
      this.#following.delete(follower)
      signal.removeEventListener('abort', stop)
    }
  }

  /** Ends each follower when it has reached the head of the log, which must not grow any more. */
  async finish(): Promise<void> {
    this.#last = await this.#store.head()
    for (const { position, stop } of this.#following) if (position >= this.#last) stop.abort()
  }
}
