/** One thing after the other: what is posted while something is done waits until it is done. */

export class Mailbox {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves or rejects as the work does. */
  post<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {})
    return turn
  }
}
