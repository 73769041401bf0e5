/** The end of an orchestrator whose supervision tree gave up, or that lost its store: it does nothing more, and says why. */

import type { StoreLockLost } from '../../events/errors/store.ts'
import type { SupervisionFailedError } from '../../events/errors/supervision.ts'
import type { Logger } from '../../logger.ts'

/** Why nothing works any more. */
export type FatalError = SupervisionFailedError | StoreLockLost

export class Downfall {
  /** Resolves with the reason. Never rejects: who does not ask is not disturbed. */
  readonly failed: Promise<FatalError>
  readonly #tell: (error: FatalError) => void
  readonly #logger: Logger
  #error: FatalError | undefined
  #resolve: (error: FatalError) => void = () => {}

  constructor(logger: Logger, tell: (error: FatalError) => void = () => {}) {
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
  async begin(error: FatalError, stop: () => Promise<unknown>): Promise<void> {
    if (this.#error) return
    this.#error = error
    this.#logger.error({ error }, 'nothing is done any more')
    const stopped = stop()
    this.#resolve(error)
    this.#tell(error)
    await stopped
  }
}
