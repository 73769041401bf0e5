/** Random numbers from a seed: the same seed and label give the same numbers, whatever else was drawn. */
import { hash } from 'node:crypto'

export interface Random {
  /** From 0 to 1, without 1. */
  next(): number
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number
  /** Whether something with this probability happens. */
  chance(probability: number): boolean
  /** One of them. Throws if there is none. */
  pick<T>(items: readonly T[]): T
}

/** A stream of numbers of its own for each label. The generator is mulberry32. */
export function randomOf(seed: number, label: string): Random {
  let state = numberOf(`${seed} ${label}`)
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[between(0, items.length - 1)]
      if (item === undefined) throw new RangeError('there is nothing to pick from')
      return item
    },
  }
}

/** A number that follows from a text, evenly spread over 32 bits. */
export const numberOf = (text: string): number => Number.parseInt(hash('sha256', text, 'hex').slice(0, 8), 16)
