/** A round-robin queue: each owner has its turn, however many items it has queued. */

export class FairQueue<T> {
  /** In the order of turns. No line is empty. */
  readonly #lines = new Map<string, T[]>()

  get isEmpty(): boolean {
    return this.#lines.size === 0
  }

  add(owner: string, item: T): void {
    const line = this.#lines.get(owner)
    if (line) line.push(item)
    else this.#lines.set(owner, [item])
  }

  /** Takes the first item that fits of the first owner that has one. The owner's next turn comes after all others. */
  take(fits: (item: T) => boolean): T | undefined {
    for (const [owner, line] of this.#lines) {
      const index = line.findIndex(fits)
      if (index === -1) continue
      const [item] = line.splice(index, 1)
      this.#lines.delete(owner)
      if (line.length > 0) this.#lines.set(owner, line)
      return item
    }
    return undefined
  }

  remove(owner: string, item: T): void {
    const line = this.#lines.get(owner)?.filter((waiting) => waiting !== item) ?? []
    if (line.length === 0) this.#lines.delete(owner)
    // It keeps its place in the order of turns.
    else this.#lines.set(owner, line)
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const line of this.#lines.values()) yield* line
  }
}
