/** A queue between one who tells and one who listens, neither of whom waits for the other. */

export interface MessageQueue<T> extends AsyncIterable<T> {
  push(...items: readonly T[]): void
  /** No more will come. What is in the queue is still given out. */
  end(): void
}

/** Makes a queue for one listener. */
export function messageQueue<T>(): MessageQueue<T> {
  const items: T[] = []
  let isEnded = false
  let wake = () => {}

  return {
    push(...added) {
      if (isEnded) return
      items.push(...added)
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
