/** One thing after the other: work that is posted while other work is done waits for its turn. */

export class Mailbox {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves or rejects as the work does. A failure holds up nothing that was posted after it. */
  post<T>(work: () => Promise<T> | T): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {})
    return turn
  }

  /** Resolves when everything that was posted so far is done, however it ended. */
  async idle(): Promise<void> {
    await this.#last
  }
}
