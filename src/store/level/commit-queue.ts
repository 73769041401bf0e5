/** Group commit: what is asked for while a write is under way is written by the next one, together. */

/** A request that waits for its turn, and the promise of whoever made it. */
export interface Waiting<Request, Result> {
  readonly request: Request
  resolve(result: Result | PromiseLike<Result>): void
  reject(error: unknown): void
}

/** *Contract:* settles every member of its group, and does not throw. */
export type Commit<Request, Result> = (group: readonly Waiting<Request, Result>[]) => Promise<void>

/** At most so many requests in one write, so that the first one does not wait for all of ten thousand. */
const LARGEST_GROUP = 2048

/** Commits one group at a time, in the order of asking. */
export class CommitQueue<Request, Result> {
  readonly #commit: Commit<Request, Result>
  #waiting: Waiting<Request, Result>[] = []
  #running: Promise<void> | null = null

  constructor(commit: Commit<Request, Result>) {
    this.#commit = commit
  }

  push(request: Request): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when nothing is waiting or being written. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running
  }

  async #run(): Promise<void> {
    await everybodyHasAsked()
    while (this.#waiting.length > 0) {
      await this.#commitOne(this.#waiting.splice(0, LARGEST_GROUP))
      await everybodyHasAsked()
    }
    this.#running = null
  }

  /** A group that breaks the contract must not leave its members, and all who come after them, waiting for ever. */
  async #commitOne(group: readonly Waiting<Request, Result>[]): Promise<void> {
    try {
      await this.#commit(group)
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }
}

/** Lets all code that can run now (whoever has just been answered, say) ask for its next append first. */
const everybodyHasAsked = () => new Promise<void>((resolve) => process.nextTick(resolve))
