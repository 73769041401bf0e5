/** An unbounded queue between one producer and one consumer: pushing never waits. */

export interface MessageQueue<T> extends AsyncIterable<T> {
  push(items: readonly T[]): void
  /** Ends the queue. Items already queued are still delivered. */
  end(): void
}

/** Makes a queue for a single consumer. */
export function messageQueue<T>(): MessageQueue<T> {
  const items: T[] = []
  let isEnded = false
  let wake = () => {}

  return {
    push(added) {
      if (isEnded) return
      for (const item of added) items.push(item)
      wake()
    },
    end() {
      isEnded = true
      wake()
    },
    async *[Symbol.asyncIterator]() {
      while (true) {
        const taken = items.splice(0)
        yield* taken
        if (items.length > 0) continue
        if (isEnded) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
