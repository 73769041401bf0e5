/**
 * Hands the answers of a run to its pattern, one after another: what the pattern asks meanwhile waits for its turn in a
 * loop, so that any number of recorded answers needs the stack of one.
 *
 * So it knows what led to an ask that does not say so (`StepOptions.from`): the answer that the pattern is being handed, else
 * the last one if no other ask is open.
 *
 * It also notices a pattern that will never have a result: one that ran out of stack, or waits although nothing is open.
 */
import { config, type Subscription, UnsubscriptionError } from 'rxjs'
import type { Clock } from '../../clock.ts'
import { RunStalledError, WorkflowTooDeepError } from '../../events/errors/run.ts'

/** A pattern may do something of its own between two asks, for this long. */
const PATIENCE_MS = 10_000

export class HandOver {
  readonly #clock: Clock
  readonly #runId: string
  readonly #fail: (error: unknown) => void
  readonly #waiting: (() => void)[] = []
  #isRunning = false
  #open = 0
  /** The fact of the outcome that is being handed over now. */
  #current: string | undefined
  #last: string | undefined
  #isClosed = false
  #forget = () => {}

  /** @param fail Called when the pattern will have no result. */
  constructor(clock: Clock, runId: string, fail: (error: unknown) => void) {
    this.#clock = clock
    this.#runId = runId
    this.#fail = fail
  }

  /** The fact of the outcome that was handed over last. */
  get last(): string | undefined {
    return this.#last
  }

  /** An ask is open from now on. Returns the fact of the outcome that led to it; undefined if only the ask can tell. */
  begin(): string | undefined {
    const leading = this.#current ?? (this.#open === 0 ? this.#last : undefined)
    this.#open += 1
    this.#forget()
    return leading
  }

  /** An ask has ended: hands over its outcome, which causes what the pattern asks meanwhile. A cancelled ask has none. */
  end(factId: string | undefined, handOver?: () => void): void {
    this.run(() => {
      this.#open -= 1
      const before = this.#current
      this.#current = factId
      this.#last = factId ?? this.#last
      try {
        handOver?.()
      } finally {
        this.#current = before
      }
    })
  }

  /** Runs something that may subscribe to asks. */
  run(job: () => void): void {
    this.#waiting.push(job)
    if (this.#isRunning) return
    this.#isRunning = true
    const report = config.onStoppedNotification
    // RxJS drops an error for which it has no stack left, except for this.
    config.onStoppedNotification = (notification, subscriber) => {
      if (notification.kind === 'E' && isOverflow(notification.error))
        this.#fail(this.overflow(notification.error))
      else report?.(notification, subscriber)
    }
    try {
      for (let next = 0; next < this.#waiting.length; next++) this.#waiting[next]?.()
    } catch (error) {
      this.#fail(this.overflow(error))
    } finally {
      config.onStoppedNotification = report
      this.#waiting.length = 0
      this.#isRunning = false
    }
    if (this.#open > 0 || this.#isClosed) return
    this.#forget()
    const stalled = () => this.#fail(new RunStalledError({ runId: this.#runId }))
    this.#forget = this.#clock.after(PATIENCE_MS, stalled)
  }

  /** The execution is left: its pattern fails with this error. */
  leave(error: unknown): void {
    if (!this.#isClosed) this.#fail(error)
  }

  /** The pattern has a result, or needs none. */
  close(): void {
    this.#isClosed = true
    this.#forget()
  }

  /** The error with which the run fails: an overflow says what to do about it. */
  overflow(error: unknown): unknown {
    if (!isOverflow(error)) return error
    return new WorkflowTooDeepError(
      { runId: this.#runId, problem: 'Maximum call stack size exceeded' },
      { cause: error },
    )
  }
}

/** RxJS wraps an overflow that happens while it unsubscribes. */
const isOverflow = (error: unknown): error is Error =>
  (error instanceof RangeError && error.message.includes('call stack')) ||
  (error instanceof UnsubscriptionError && error.errors.some(isOverflow))

/** A subscription that is nested too deeply cannot be unsubscribed as a whole either: what failed is already known. */
export function unsubscribe(subscription: Subscription | undefined): void {
  try {
    subscription?.unsubscribe()
  } catch (error) {
    if (!isOverflow(error)) throw error
  }
}
