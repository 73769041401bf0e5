/** Following a log by reading to its end, waiting for more, and reading on: no hand-over from old to live, so no gap. */
import type { Recorded } from '../events/envelope.ts'
import type { EventStore, FollowOptions } from './event-store.ts'

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
    this.#wake()
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

/** Implements a store's `follow`. */
export async function* follow(
  store: Pick<EventStore, 'readAll'>,
  watermark: Watermark,
  { after = 0, signal }: FollowOptions,
): AsyncGenerator<Recorded, void, undefined> {
  let position = after
  while (!signal?.aborted && !watermark.ended) {
    try {
      for await (const recorded of store.readAll({ after: position })) {
        if (signal?.aborted) return
        position = recorded.position
        yield recorded
      }
    } catch (error) {
      // The store was closed in the middle of a page: a normal end.
      if (watermark.ended) return
      throw error
    }
    await watermark.beyond(position, signal)
  }
}
