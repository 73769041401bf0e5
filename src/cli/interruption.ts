/** How a command learns that it is to end: Ctrl-C once is a request, twice is an order. */

/** How a command ended that was interrupted: 128 and the number of the signal, as shells have it. */
const INTERRUPTED: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

export interface Interruption {
  /** Aborted when the user presses Ctrl-C, or the system asks us to end. */
  readonly signal: AbortSignal
  /** Ends the command as if Ctrl-C had been pressed. */
  interrupt(): void
  /** From now on signals do what they do by themselves. */
  stop(): void
}

export function listenForInterruption(): Interruption {
  const interruption = new AbortController()
  const interrupt = (name: NodeJS.Signals) => {
    if (interruption.signal.aborted) process.exit(INTERRUPTED[name])
    process.exitCode = INTERRUPTED[name]
    interruption.abort(`interrupted by ${name}`)
  }
  const signals = Object.keys(INTERRUPTED) as NodeJS.Signals[]
  for (const name of signals) process.on(name, interrupt)
  return {
    signal: interruption.signal,
    interrupt: () => interrupt('SIGINT'),
    stop() {
      for (const name of signals) process.off(name, interrupt)
    },
  }
}
