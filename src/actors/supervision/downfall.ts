/** The end of an orchestrator whose supervision tree gave up: everything stops, and the reason is reported. */
import type { SupervisionFailedError } from '../../events/errors/supervision.ts'
import type { Logger } from '../../logger.ts'

export class Downfall {
  /** Resolves with the reason. Never rejects, so it may be left unhandled. */
  readonly failed: Promise<SupervisionFailedError>
  readonly #report: (error: SupervisionFailedError) => void
  readonly #logger: Logger
  #error: SupervisionFailedError | undefined
  #resolve: (error: SupervisionFailedError) => void = () => {}

  constructor(logger: Logger, report: (error: SupervisionFailedError) => void = () => {}) {
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
  async begin(error: SupervisionFailedError, stop: () => Promise<unknown>): Promise<void> {
    if (this.#error) return
    this.#error = error
    this.#logger.error({ error }, 'a supervision tree gave up: all work has stopped')
    const stopped = stop()
    this.#resolve(error)
    this.#report(error)
    await stopped
  }
}
