/** Limits concurrency: first come, first served. */

export interface Semaphore {
  /**
   * Waits for a slot. Resolves to its release function, which may be called more than once; rejects with the signal's
   * reason if that aborts first.
   */
  acquire(signal: AbortSignal): Promise<() => void>
}

export function semaphore(slots: number): Semaphore {
  let free = slots
  const waiting = new Set<() => void>()

  /** A freed slot goes straight to the longest waiter, so that a newcomer cannot overtake it. */
  const release = () => {
    const [next] = waiting
    if (next) next()
    else free += 1
  }
  const slot = () => {
    let isHeld = true
    return () => {
      if (isHeld) release()
      isHeld = false
    }
  }

  return {
    acquire: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        if (free > 0) {
          free -= 1
          return resolve(slot())
        }
        const settle = (then: () => void) => {
          waiting.delete(enter)
          signal.removeEventListener('abort', leave)
          then()
        }
        const enter = () => settle(() => resolve(slot()))
        const leave = () => settle(() => reject(signal.reason))
        waiting.add(enter)
        signal.addEventListener('abort', leave)
      }),
  }
}
