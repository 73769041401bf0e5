/** Who waits for the end of which task. */
import type { TaskOutcome } from '../../../events/agent-facts.ts'
import type { Identified } from '../../../events/envelope.ts'

interface Waiting {
  resolve(outcome: Identified<TaskOutcome>): void
  reject(error: unknown): void
}

export interface ExpectedOutcome {
  readonly outcome: Promise<Identified<TaskOutcome>>
  /** Nobody waits any more. */
  forget(): void
}

export class TaskOutcomes {
  readonly #waiting = new Map<string, Set<Waiting>>()

  expect(taskId: string): ExpectedOutcome {
    const waiters = this.#waiting.get(taskId) ?? new Set<Waiting>()
    this.#waiting.set(taskId, waiters)
    const { promise: outcome, ...waiting } = withResolvers<Identified<TaskOutcome>>()
    // It may be rejected before anybody has come to waiting for it.
    outcome.catch(() => {})
    waiters.add(waiting)
    const forget = () => {
      waiters.delete(waiting)
      if (waiters.size === 0) this.#waiting.delete(taskId)
    }
    return { outcome, forget }
  }

  settle(taskId: string, outcome: Identified<TaskOutcome>): void {
    for (const { resolve } of this.#waiting.get(taskId) ?? []) resolve(outcome)
  }

  /** It will not be known in this process. */
  giveUp(error: unknown): void {
    for (const waiters of this.#waiting.values()) for (const { reject } of waiters) reject(error)
  }
}

function withResolvers<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
