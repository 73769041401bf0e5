/** The log as a stream of events: past facts, then new ones as they are appended, until it is closed. */
import { Observable } from 'rxjs'
import type { Recorded } from '../events/envelope.ts'
import type { EventStore } from '../store/event-store.ts'
import { wholeNumber } from '../store/read-range.ts'
import { currentFact, type RecordedFact } from './typed-facts.ts'

interface Follower {
  /** The position of the last fact that it has delivered. */
  position: number
  /** The position at which it ends. */
  last: number
  readonly stop: AbortController
}

export class EventFeed {
  readonly #store: EventStore
  readonly #followers = new Set<Follower>()
  readonly #observations = new Set<Promise<void>>()

  constructor(store: EventStore) {
    this.#store = store
  }

  /** The facts after a position. Each subscription and each iteration reads the log by itself. */
  events(after: number): Observable<RecordedFact> & AsyncIterable<RecordedFact> {
    return this.mapped(after, currentFact)
  }

  /** What the facts after a position are to a reader, without those that are undefined to it. */
  mapped<T>(after: number, map: (recorded: Recorded) => T | undefined): Observable<T> & AsyncIterable<T> {
    const follow = (stop: AbortController) => this.#follow(after, map, stop)
    const events = new Observable<T>((subscriber) => {
      const stop = new AbortController()
      const observe = async () => {
        for await (const one of follow(stop)) subscriber.next(one)
      }
      const observation = observe().then(
        () => subscriber.complete(),
        (error) => subscriber.error(error),
      )
      this.#observations.add(observation)
      observation.finally(() => this.#observations.delete(observation))
      return () => stop.abort()
    })
    return Object.assign(events, { [Symbol.asyncIterator]: () => follow(new AbortController()) })
  }

  /** Delivers everything that has been appended, then ends. Waits for subscribers, but not for iterations. */
  async close(): Promise<void> {
    const last = await this.#store.head()
    for (const follower of this.#followers) {
      follower.last = last
      if (follower.position >= last) follower.stop.abort()
    }
    await Promise.all(this.#observations)
  }

  async *#follow<T>(
    after: number,
    map: (recorded: Recorded) => T | undefined,
    stop: AbortController,
  ): AsyncGenerator<T> {
    // One that is at no position never comes to the last: the feed would never close.
    const follower: Follower = { position: wholeNumber('after', after), last: Number.POSITIVE_INFINITY, stop }
    this.#followers.add(follower)
    try {
      for await (const recorded of this.#store.follow({ after, signal: stop.signal })) {
        const mapped = map(recorded)
        if (mapped !== undefined) yield mapped
        follower.position = recorded.position
        if (follower.position >= follower.last) return
      }
    } finally {
      this.#followers.delete(follower)
      stop.abort()
    }
  }
}
