/** Listeners of the host program: what one of them throws is the host's matter and changes nothing here. */

/** Calls a listener. What it throws is reported to the host. */
export function callListener<Given extends readonly unknown[]>(
  listener: ((...given: Given) => unknown) | undefined,
  ...given: Given
): void {
  try {
    listener?.(...given)
  } catch (error) {
    reportToHost(error)
  }
}

/** Reports an error of the host's own code as uncaught, as RxJS and XState do. */
export function reportToHost(error: unknown): void {
  queueMicrotask(() => {
    throw error
  })
}

/**
 * What a source tells its listener, as an async iterable: from when it is iterated until the source ends.
 *
 * @param listen Returns the function that stops listening.
 */
export async function* heard<T>(
  listen: (next: (value: T) => void, end: () => void) => () => void,
): AsyncGenerator<T> {
  const waiting: T[] = []
  let isOver = false
  let wake = () => {}
  const next = (value: T) => {
    waiting.push(value)
    wake()
  }
  const end = () => {
    isOver = true
    wake()
  }
  const stop = listen(next, end)
  try {
    while (!isOver || waiting.length > 0) {
      if (waiting.length > 0) yield waiting.shift() as T
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    stop()
  }
}
