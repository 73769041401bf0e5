/** A gate that opens up to an ordinal: a waiter passes once it is open that far. */

export interface OrdinalGate {
  /** Opens the gate through this ordinal, for present and future waiters. */
  openThrough(ordinal: number): void
  /** Resolves once the gate is open for the ordinal. */
  passed(ordinal: number): Promise<void>
  /** Rejects all waiters, present and future: the gate will open no further. */
  abandon(reason: Error): void
}

/** Creates a gate. It counts ordinals, not waiters, so the order of opening and waiting does not matter. */
export function ordinalGate(): OrdinalGate {
  let open = 0
  let abandoned: Error | undefined
  let waiting: { ordinal: number; resolve: () => void; reject: (reason: Error) => void }[] = []
  return {
    openThrough(ordinal) {
      open = Math.max(open, ordinal)
      for (const one of waiting) if (one.ordinal <= open) one.resolve()
      waiting = waiting.filter((one) => one.ordinal > open)
    },
    passed(ordinal) {
      if (ordinal <= open) return Promise.resolve()
      if (abandoned) return Promise.reject(abandoned)
      return new Promise((resolve, reject) => {
        waiting.push({ ordinal, resolve, reject })
      })
    },
    abandon(reason) {
      abandoned = reason
      for (const one of waiting) one.reject(reason)
      waiting = []
    },
  }
}
