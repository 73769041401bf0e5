/** The end of an orchestrator whose supervision tree gave up: it does nothing any more, and says why. */

import type { SupervisionFailedError } from '../../events/errors/supervision.ts'
import type { Logger } from '../../logger.ts'

export class Downfall {
  /** Resolves with the reason. Never rejects: who does not ask is not disturbed. */
  readonly failed: Promise<SupervisionFailedError>
  readonly #tell: (error: SupervisionFailedError) => void
  readonly #logger: Logger
  #error: SupervisionFailedError | undefined
  #resolve: (error: SupervisionFailedError) => void = () => {}

  constructor(logger: Logger, tell: (error: SupervisionFailedError) => void = () => {}) {
    this.#logger = logger
    this.#tell = tell
    this.failed = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** Throws the error, if there is one. */
  assertNone(): void {
    if (this.#error) throw this.#error
  }

  /**
   * Tells everybody why, while everything that works stops.
   *
   * @param stop Stops it, and refuses what is asked for from now on.
   */
  async begin(error: SupervisionFailedError, stop: () => Promise<unknown>): Promise<void> {
    if (this.#error) return
    this.#error = error
    this.#logger.error({ error }, 'a supervision tree gave up: nothing is done any more')
    const stopped = stop()
    this.#resolve(error)
    this.#tell(error)
    await stopped
  }
}
