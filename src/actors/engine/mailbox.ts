/** Runs posted work strictly one after the other, in the order of posting. Messages of agents are elsewhere: `actors/agent/mailbox/`. */

export class Mailbox {
  #last: Promise<unknown> = Promise.resolve()

  /** Settles as the work does. A failure does not stop the work posted after it. */
  post<T>(work: () => Promise<T> | T): Promise<T> {
    const turn = this.#last.then(work)
    // Not its outcome, which may be large.
    const over = () => {}
    this.#last = turn.then(over, over)
    return turn
  }

  /** Resolves when all work posted so far has settled. */
  async idle(): Promise<void> {
    await this.#last
  }
}
