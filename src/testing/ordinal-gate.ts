/** A gate that opens up to a number: whoever waits for an ordinal passes once it has been opened that far. */

export interface OrdinalGate {
  /** Opens it through this ordinal, for those who wait and for those who come later. */
  openThrough(ordinal: number): void
  /** Resolves once it is open for the ordinal. */
  passed(ordinal: number): Promise<void>
  /** It will open no further: those who wait are told so. */
  abandon(reason: Error): void
}

/** Counting up instead of counting waiters: whether one opens or waits first makes no difference. */
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
