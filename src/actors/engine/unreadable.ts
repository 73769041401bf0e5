/**
 * Streams that cannot be folded in this process, such as one to which a newer release has written what this one does not
 * know: each is said once, holds up nothing else, and is looked at again when it has changed.
 */
import { UnknownFactError, UnreadableFactError } from '../../events/errors/fact.ts'
import type { Logger } from '../../logger.ts'

export class UnreadableStreams {
  readonly #logger: Logger
  /** The version of each, as of the last look. */
  readonly #versions = new Map<string, number>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Does work for which a stream is folded, unless that is known to fail. Throws what else goes wrong. */
  async unless(
    { stream, version }: { readonly stream: string; readonly version: number },
    work: () => Promise<unknown>,
  ): Promise<void> {
    if (this.#versions.get(stream) === version) return
    try {
      await work()
      this.#versions.delete(stream)
    } catch (error) {
      if (!(error instanceof UnknownFactError || error instanceof UnreadableFactError)) throw error
      this.#versions.set(stream, version)
      this.#logger.warn({ stream, error }, 'a stream cannot be read here, and is left to other processes')
    }
  }
}
