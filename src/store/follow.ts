/** Following a log: read what is there, wait until there is more, read on. So there is nothing to hand over, and no gap. */
import type { Recorded } from '../events/envelope.ts'
import type { EventStore, FollowOptions } from './event-store.ts'

/** The last position that may be read, and a way to wait for the next. */
export class Growth {
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
    this.#wake()
  }

  /** Nothing will be added any more. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** Resolves as soon as there is more than `position`, the log has ended, or the signal aborts. */
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

/** The `follow` of a store. Ends when aborted, or when the store is closed. */
export async function* follow(
  store: Pick<EventStore, 'readAll'>,
  growth: Growth,
  { after = 0, signal }: FollowOptions,
): AsyncGenerator<Recorded, void, undefined> {
  let position = after
  while (!signal?.aborted && !growth.ended) {
    try {
      for await (const recorded of store.readAll({ after: position })) {
        if (signal?.aborted) return
        position = recorded.position
        yield recorded
      }
    } catch (error) {
      // Closed in the middle of a page: that is an end like any other.
      if (growth.ended) return
      throw error
    }
    await growth.beyond(position, signal)
  }
}
