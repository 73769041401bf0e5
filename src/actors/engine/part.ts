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
  readonly #actor: { see(recorded: readonly Recorded[]): void; fail(error: unknown): void }
  /** Made when it is first asked for. */
  #recorded: Promise<readonly Recorded[]> | undefined
  #isReady = false
  #begin = () => {}
  #resolve: (recorded: readonly Recorded[]) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(
    stream: string,
    isFirst: boolean,
    version: () => number,
    take: (cause: NewFact | undefined) => StreamAppend,
    actor: { see(recorded: readonly Recorded[]): void; fail(error: unknown): void },
  ) {
    this.stream = stream
    this.isFirst = isFirst
    this.version = version
    this.take = take
    this.#actor = actor
  }

  /** Resolves with its facts once they are durable and folded; rejects if nothing was written. */
  get recorded(): Promise<readonly Recorded[]> {
    this.#recorded ??= new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    return this.#recorded
  }

  /** Whether its actor has come to it. Until it is over, that one decides nothing else. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Resolves when that is so. Only one may wait for it. */
  ready(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isReady) resolve()
      else this.#begin = resolve
    })
  }

  /** Its actor has come to it. Resolves when it may go on. */
  begin(): Promise<void> {
    this.#isReady = true
    this.#begin()
    const over = () => {}
    return this.recorded.then(over, over)
  }

  /** Lets its actor see what was appended. */
  see(recorded: readonly Recorded[]): void {
    this.#actor.see(recorded)
    this.#recorded ??= Promise.resolve(recorded)
    this.#resolve(recorded)
  }

  /** Nothing was appended. */
  fail(error: unknown): void {
    this.#actor.fail(error)
    // It may fail before anything waits for it.
    this.recorded.catch(() => {})
    this.#reject(error)
  }
}
