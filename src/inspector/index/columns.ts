/** Growable columns of numbers, as typed arrays: the index keeps its rows in them, in as few bytes as possible. */

type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array

/** *Contract:* `at` an index that was never pushed returns 0. */
export class Column<N extends Numbers> {
  #numbers: N
  #length = 0
  readonly #make: (length: number) => N

  constructor(make: (length: number) => N) {
    this.#make = make
    this.#numbers = make(16)
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    if (this.#length === this.#numbers.length) {
      const larger = this.#make(this.#length * 2)
      larger.set(this.#numbers as never)
      this.#numbers = larger
    }
    this.#numbers[this.#length++] = value
  }

  at(index: number): number {
    return this.#numbers[index] ?? 0
  }

  /** How many of the numbers are at most `value`. They must be in ascending order. */
  countUpTo(value: number): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.at(middle) <= value) low = middle + 1
      else high = middle
    }
    return low
  }
}

export const bytes = () => new Column((length) => new Uint8Array(length))
export const words = () => new Column((length) => new Uint16Array(length))
export const counts = () => new Column((length) => new Uint32Array(length))
export const reals = () => new Column((length) => new Float64Array(length))
