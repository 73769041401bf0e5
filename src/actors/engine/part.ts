/** A decision of one actor that another one takes together with its own, all or nothing: see `join` in `actor.ts`. */
import type { NewFact, Recorded } from '../../events/envelope.ts'
import type { StreamAppend } from '../../store/event-store.ts'

export class Part {
  readonly stream: string
  /** Whether its facts cause those of the other actor; otherwise they are caused by them. */
  readonly isFirst: boolean
  /** The version of its stream, to which its facts will be added. */
  readonly version: () => number
  /** Takes the decision and returns what is to be appended. May be called more than once. */
  readonly take: (cause: NewFact | undefined) => StreamAppend
  /** Resolves with its facts once they are durable and folded; rejects if nothing was written. */
  readonly recorded: Promise<readonly Recorded[]>
  /** Resolves when its actor has come to it. Until it is recorded, that one decides nothing else. */
  readonly ready: Promise<void>
  readonly #fold: (recorded: readonly Recorded[]) => void
  #isReady = false
  #begin = () => {}
  #resolve: (recorded: readonly Recorded[]) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(
    stream: string,
    isFirst: boolean,
    version: () => number,
    take: (cause: NewFact | undefined) => StreamAppend,
    fold: (recorded: readonly Recorded[]) => void,
  ) {
    this.stream = stream
    this.isFirst = isFirst
    this.version = version
    this.take = take
    this.#fold = fold
    this.recorded = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // It may fail before anything waits for it.
    this.recorded.catch(() => {})
    this.ready = new Promise((resolve) => {
      this.#begin = resolve
    })
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Its actor has come to it. Resolves when it may go on. */
  async begin(): Promise<void> {
    this.#isReady = true
    this.#begin()
    await this.recorded.catch(() => {})
  }

  /** Lets its actor see what was appended. */
  see(recorded: readonly Recorded[]): void {
    this.#fold(recorded)
    this.#resolve(recorded)
  }

  /** Nothing was appended. */
  fail(error: unknown): void {
    this.#reject(error)
  }
}
