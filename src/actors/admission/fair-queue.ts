/** A queue in which each of those who wait has a turn, however much any of them has in it: round robin. */

export class FairQueue<T> {
  /** In the order of turns. Nobody is in here with nothing. */
  readonly #lines = new Map<string, T[]>()

  get isEmpty(): boolean {
    return this.#lines.size === 0
  }

  add(who: string, item: T): void {
    const line = this.#lines.get(who)
    if (line) line.push(item)
    else this.#lines.set(who, [item])
  }

  /** Takes the item of whose turn it is and whose item fits; their next turn comes after those of all others. */
  take(fits: (item: T) => boolean): T | undefined {
    for (const [who, line] of this.#lines) {
      const index = line.findIndex(fits)
      if (index === -1) continue
      const [item] = line.splice(index, 1)
      this.#lines.delete(who)
      if (line.length > 0) this.#lines.set(who, line)
      return item
    }
    return undefined
  }

  remove(who: string, item: T): void {
    const line = this.#lines.get(who)?.filter((waiting) => waiting !== item) ?? []
    if (line.length === 0) this.#lines.delete(who)
    // The place in the order stays.
    else this.#lines.set(who, line)
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const line of this.#lines.values()) yield* line
  }
}
