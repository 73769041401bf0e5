/** Things to do that wait their turn; those that came while one was being done have the next turn together. */

export class Turns<T> {
  readonly #take: (turn: readonly T[]) => Promise<void>
  readonly #isAlone: (one: T) => boolean
  readonly #waiting: T[] = []
  #taking: Promise<void> | undefined

  /**
   * @param take Does what has its turn. *Contract:* does not throw.
   * @param isAlone Whether it shares its turn with nothing else.
   */
  constructor(take: (turn: readonly T[]) => Promise<void>, isAlone: (one: T) => boolean) {
    this.#take = take
    this.#isAlone = isAlone
  }

  /** Its turn never comes before `wait` has returned. */
  wait(one: T): void {
    this.#waiting.push(one)
    this.#taking ??= this.#takeAll()
  }

  /** Resolves when nothing waits. */
  async over(): Promise<void> {
    await this.#taking
  }

  async #takeAll(): Promise<void> {
    await null
    while (this.#waiting.length > 0) await this.#take(this.#waiting.splice(0, this.#together()))
    this.#taking = undefined
  }

  /** How many of those that wait have the next turn. */
  #together(): number {
    const alone = this.#waiting.findIndex(this.#isAlone)
    return alone < 0 ? this.#waiting.length : Math.max(1, alone)
  }
}
