/** The versions or positions that a read covers, as a closed range. */
import { InvalidInputError } from '../events/errors/usage.ts'
import { named } from '../events/options/decoding.ts'
import type { ReadOptions } from './event-store.ts'

/** Includes both ends; empty if `from` is larger than `to`. */
export interface ReadRange {
  readonly from: number
  readonly to: number
  readonly backwards: boolean
}

/** `last` is the newest version or position. */
export function readRange(options: ReadOptions, last: number): ReadRange {
  const after = wholeNumber('after', options.after ?? 0)
  const to = Math.min(wholeNumber('to', options.to ?? last), last)
  const limit = wholeNumber('limit', options.limit ?? last)
  const backwards = checkDirection(options.direction ?? 'forwards') === 'backwards'
  return backwards
    ? { from: Math.max(after + 1, to - limit + 1), to, backwards }
    : { from: after + 1, to: Math.min(to, after + limit), backwards }
}

/** Splits a range into pieces of at most `size`, in reading order. */
export function* chunks({ from, to, backwards }: ReadRange, size: number): Generator<ReadRange> {
  if (backwards) {
    for (let last = to; last >= from; last -= size) {
      yield { from: Math.max(from, last - size + 1), to: last, backwards }
    }
  } else {
    for (let first = from; first <= to; first += size) {
      yield { from: first, to: Math.min(to, first + size - 1), backwards }
    }
  }
}

function checkDirection(direction: 'forwards' | 'backwards'): 'forwards' | 'backwards' {
  if (direction === 'forwards' || direction === 'backwards') return direction
  const problem = `${JSON.stringify(direction)} is neither 'forwards' nor 'backwards'`
  throw new InvalidInputError({ what: 'direction', problem })
}

/** Throws {@link InvalidInputError} for what can be neither a number of facts nor a position. */
export function wholeNumber(what: string, value: number): number {
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value >= 0)) return value
  throw new InvalidInputError({ what, problem: `${named(value)} is not a whole number of 0 or more` })
}
