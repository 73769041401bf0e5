/** How a command learns that it should end: the first Ctrl-C asks, a later one insists. */

/** The exit code of an interrupted command: 128 plus the number of the signal, as in shells. */
const EXIT_CODES: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

export interface Interruption {
  /** Aborted on Ctrl-C, or when the system asks the process to end. */
  readonly signal: AbortSignal
  /** Aborted on the second Ctrl-C, which then does not kill the process; the third does. */
  insistence(): AbortSignal
  /** Gives the signals back their default effect. */
  stop(): void
}

export function listenForInterruption(): Interruption {
  const interruption = new AbortController()
  let insistence: AbortController | null = null
  const interrupt = (name: NodeJS.Signals) => {
    const controller = interruption.signal.aborted ? insistence : interruption
    if (controller === null || controller.signal.aborted) process.exit(EXIT_CODES[name])
    process.exitCode = EXIT_CODES[name]
    controller.abort(`interrupted by ${name}`)
  }
  const signals = Object.keys(EXIT_CODES) as NodeJS.Signals[]
  for (const name of signals) process.on(name, interrupt)
  return {
    signal: interruption.signal,
    insistence() {
      insistence ??= new AbortController()
      return insistence.signal
    },
    stop() {
      for (const name of signals) process.off(name, interrupt)
    },
  }
}

/** Also aborted when the reader of the output has seen enough, as `| head` has. */
export function untilEnough({ signal }: Interruption): AbortSignal {
  const enough = new AbortController()
  process.stdout.once('error', () => enough.abort())
  return AbortSignal.any([signal, enough.signal])
}
