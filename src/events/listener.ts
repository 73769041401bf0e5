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
