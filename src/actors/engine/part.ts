/** A decision of one actor that another one takes together with its own, all or nothing: see `EventSourcedActor.join`. */
import type { NewFact, Recorded } from '../../events/envelope.ts'
import type { StreamAppend } from '../../store/event-store.ts'

/** What the actor that joins another one's decision does in it. */
interface Joining {
  readonly version: () => number
  /** Takes the decision and returns what is to be appended. May be called more than once. */
  readonly take: (cause: NewFact | undefined) => StreamAppend
  readonly see: (recorded: readonly Recorded[]) => void
  readonly fail: (error: unknown) => void
}

export class Part {
  readonly stream: string
  /** Whether its facts cause those of the other actor; otherwise they are caused by them. */
  readonly isFirst: boolean
  readonly #joining: Joining
  #isReady = false
  #isOver = false
  /** Made when it ends, or when it is first asked for. */
  #outcome: Promise<readonly Recorded[]> | undefined
  #end: (outcome: Promise<readonly Recorded[]>) => void = () => {}
  #continueOther = () => {}
  #continueOwn = () => {}

  constructor(stream: string, isFirst: boolean, joining: Joining) {
    this.stream = stream
    this.isFirst = isFirst
    this.#joining = joining
  }

  /** The version of its stream, to which its facts will be added. */
  get version(): number {
    return this.#joining.version()
  }

  /** Resolves with its facts once they are durable and folded; rejects if nothing was written. */
  get recorded(): Promise<readonly Recorded[]> {
    this.#outcome ??= new Promise((resolve) => {
      this.#end = resolve
    })
    return this.#outcome
  }

  /** Whether its actor has come to it. Until it is over, that one decides nothing else. */
  get isReady(): boolean {
    return this.#isReady
  }

  /** Calls back when it is ready. Only one may wait for it. */
  whenReady(ready: () => void): void {
    this.#continueOther = ready
  }

  /** Its actor has come to it, and continues when `over` is called. */
  begin(over: () => void): void {
    this.#isReady = true
    if (this.#isOver) {
      over()
      return
    }
    this.#continueOwn = over
    this.#continueOther()
  }

  take(cause: NewFact | undefined): StreamAppend {
    return this.#joining.take(cause)
  }

  /** Lets its actor see what was appended. */
  see(recorded: readonly Recorded[]): void {
    this.#joining.see(recorded)
    this.#finish(Promise.resolve(recorded))
  }

  /** Nothing was appended. */
  fail(error: unknown): void {
    this.#joining.fail(error)
    const failed = Promise.reject(error)
    // It may fail before anything waits for it.
    failed.catch(() => {})
    this.#finish(failed)
  }

  #finish(outcome: Promise<readonly Recorded[]>): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#end(outcome)
    this.#outcome ??= outcome
    this.#continueOwn()
  }
}
