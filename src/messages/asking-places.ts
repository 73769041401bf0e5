/**
 * How many calls may wait for the answers of other agents: a call that waits keeps its place among those in flight, so fewer
 * wait than there are places, and one that works always has one.
 */
import { InvalidInputError } from '../events/errors/usage.ts'
import { plural } from '../events/figures.ts'

export class AskingPlaces {
  /** By the ids of the calls: how many answers each waits for. */
  readonly #waiting = new Map<string, number>()
  readonly #room: () => number

  /** @param room How many calls may be in flight at present. */
  constructor(room: () => number) {
    this.#room = room
  }

  /** A call waits for an answer, until what this returns is called. Throws InvalidInputError. */
  take(callId: string): () => void {
    const room = this.#room()
    const count = this.#waiting.get(callId) ?? 0
    const calls = count > 0 ? this.#waiting.size : this.#waiting.size + 1
    if (calls >= room)
      throw new InvalidInputError({
        what: 'The request',
        problem: `${plural(room, 'call')} may be in flight, and none would be left for the answer`,
        hint: 'Do it without asking, or try again later. A person can raise limits.calls_in_flight in the configuration file (in code: the option limits).',
      })
    this.#waiting.set(callId, count + 1)
    return () => {
      const left = (this.#waiting.get(callId) ?? 1) - 1
      if (left > 0) this.#waiting.set(callId, left)
      else this.#waiting.delete(callId)
    }
  }
}
