/** Group commit: requests that arrive during a write are written together by the next one. */

/** A queued request, and how to settle its caller's promise. */
export interface QueuedRequest<Request, Result> {
  readonly request: Request
  resolve(result: Result | PromiseLike<Result>): void
  reject(error: unknown): void
}

/** *Contract:* settles every member of the group, and does not throw. */
type Commit<Request, Result> = (group: readonly QueuedRequest<Request, Result>[]) => Promise<void>

/** The most requests in one write, so that the first of ten thousand does not wait for all of them. */
const LARGEST_GROUP = 2048

/** Keeps the order of the requests. */
export class CommitQueue<Request, Result> {
  readonly #commit: Commit<Request, Result>
  #queue: QueuedRequest<Request, Result>[] = []
  #running: Promise<void> | null = null

  constructor(commit: Commit<Request, Result>) {
    this.#commit = commit
  }

  push(request: Request): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when no request is queued or being written. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  async #run(): Promise<void> {
    await yieldToCallers()
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, LARGEST_GROUP)
      try {
        await this.#commit(group)
      } catch (error) {
        // A commit that breaks its contract must not leave its group, and all later ones, pending forever.
        for (const { reject } of group) reject(error)
      }
      await yieldToCallers()
    }
    this.#running = null
  }
}

/** Lets code that can run now, such as callers just settled, enqueue its next append first. */
const yieldToCallers = () => new Promise<void>((resolve) => process.nextTick(resolve))
