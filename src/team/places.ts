/**
 * How many calls may wait for the answers of other agents: a call that waits keeps its place among those in flight, so fewer
 * wait than there are places, and one that works always has one. What one call asks is bounded as well.
 */
import { InvalidInputError } from '../events/errors/usage.ts'
import { plural } from '../events/figures.ts'

/** How much one call may ask at a time, and in all. */
export const MOST_AT_ONCE = 4
export const MOST_OF_A_CALL = 100

/** A call, and what it has asked. */
export interface AskingCall {
  readonly agent: string
  atOnce: number
  inAll: number
}

export class AskingPlaces {
  readonly #waiting = new Set<AskingCall>()
  readonly #room: () => number

  /** @param room How many calls may be in flight at present. */
  constructor(room: () => number) {
    this.#room = room
  }

  /** A call asks something, until what this returns is called. Throws InvalidInputError. */
  take(call: AskingCall): () => void {
    const { atOnce, inAll } = call
    const room = this.#room()
    if (atOnce >= MOST_AT_ONCE)
      throw refused(`you wait for ${plural(atOnce, 'answer')} already`, 'Wait for these first.')
    if (inAll >= MOST_OF_A_CALL)
      throw refused(`you have asked ${inAll} times, which is the most`, 'Answer with what you have heard.')
    if (new Set([...this.#waiting, call]).size >= room)
      throw refused(
        `${plural(room, 'call')} may be in flight, and none would be left for the answer`,
        'Do it without asking, or try again later. A person can raise limits.calls_in_flight.',
      )
    this.#waiting.add(call)
    call.atOnce++
    call.inAll++
    return () => {
      call.atOnce--
      if (call.atOnce === 0) this.#waiting.delete(call)
    }
  }
}

const refused = (problem: string, hint: string) => new InvalidInputError({ what: 'ask_agent', problem, hint })
