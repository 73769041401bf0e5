/** The end of an orchestrator whose supervision tree gave up, or that lost its store: everything stops, and the reason is reported. */
import type { StoreLockLost } from '../../events/errors/store.ts'
import type { SupervisionFailedError } from '../../events/errors/supervision.ts'
import { callListener } from '../../events/listener.ts'
import type { Logger } from '../../logger.ts'

/** Why nothing works any more. */
export type FatalError = SupervisionFailedError | StoreLockLost

export class Downfall {
  /** Resolves with the reason. Never rejects, so it may be left unhandled. */
  readonly failed: Promise<FatalError>
  readonly #report: (error: FatalError) => void
  readonly #logger: Logger
  #error: FatalError | undefined
  #resolve: (error: FatalError) => void = () => {}

  constructor(logger: Logger, report: (error: FatalError) => void = () => {}) {
    this.#logger = logger
    this.#report = report
    this.failed = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** Throws the reason, if there is one. */
  assertNone(): void {
    if (this.#error) throw this.#error
  }

  /**
   * Stops everything and reports the reason. Only the first call counts.
   *
   * @param stop Halts all work and refuses new work.
   */
  async begin(error: FatalError, stop: () => Promise<unknown>): Promise<void> {
    if (this.#error) return
    this.#error = error
    this.#logger.error({ error }, 'all work has stopped')
    const stopped = stop()
    this.#resolve(error)
    callListener(this.#report, error)
    await stopped
  }
}
