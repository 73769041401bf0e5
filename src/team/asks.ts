/**
 * Which agents wait for which: an agent that asks another one waits in the middle of its call, so it can be asked nothing
 * else meanwhile, and its call keeps its place among those in flight.
 *
 * A1. No agent waits for itself, however many others are between.
 * A2. Fewer calls wait than may be in flight: one that works has a place.
 * A3. Chains, and what one call asks, are bounded.
 */
import { InvalidInputError } from '../events/errors/usage.ts'
import { plural } from '../events/figures.ts'

/** How many agents may wait for one another in a chain. */
export const DEEPEST = 8
/** How much one call may ask at a time, and in all. */
export const MOST_AT_ONCE = 4
export const MOST_OF_A_CALL = 100

/** What one call has asked. */
export interface CallOfAsker {
  readonly agent: string
  atOnce: number
  inAll: number
}

export class Asks {
  /** Each ask in flight. */
  readonly #open = new Set<{ readonly call: CallOfAsker; readonly to: string }>()
  readonly #room: () => number

  /** @param room How many calls may be in flight at present. */
  constructor(room: () => number) {
    this.#room = room
  }

  /** A call asks an agent, until what it returns is called. Throws InvalidInputError. */
  begin(call: CallOfAsker, to: string): () => void {
    this.#check(call, to)
    const ask = { call, to }
    this.#open.add(ask)
    call.atOnce++
    call.inAll++
    return () => {
      if (this.#open.delete(ask)) call.atOnce--
    }
  }

  #check(call: CallOfAsker, to: string): void {
    const { agent: from, atOnce, inAll } = call
    if (to === from) throw refused(to, 'it is you', 'Work it out yourself, or ask another agent.')
    if (this.#waitsFor(to, from))
      throw refused(to, 'it waits for your answer itself', 'Answer with what you know, or ask another agent.')
    if (this.#depth(from) + this.#height(to) + 1 > DEEPEST)
      throw refused(to, `${DEEPEST} agents wait for one another already`, 'Answer with what you know.')
    if (atOnce >= MOST_AT_ONCE)
      throw refused(to, `you wait for ${plural(atOnce, 'answer')} already`, 'Wait for these first.')
    if (inAll >= MOST_OF_A_CALL)
      throw refused(
        to,
        `you have asked ${inAll} times, which is the most`,
        'Answer with what you have heard.',
      )
    const waiting = new Set([...this.#open].map((ask) => ask.call)).add(call).size
    const room = this.#room()
    if (waiting >= room)
      throw refused(
        to,
        `${plural(room, 'call')} may be in flight, and none would be left for the answer`,
        'Do it without asking, or try again later. A person can raise limits.calls_in_flight.',
      )
  }

  #asked = (agent: string) => [...this.#open].filter(({ call }) => call.agent === agent).map(({ to }) => to)
  #asking = (agent: string) => [...this.#open].filter(({ to }) => to === agent).map(({ call }) => call.agent)

  #waitsFor(agent: string, other: string): boolean {
    return this.#asked(agent).some((to) => to === other || this.#waitsFor(to, other))
  }

  /** How many wait for it, one after the other. There are no circles. */
  #depth(agent: string): number {
    return Math.max(0, ...this.#asking(agent).map((from) => 1 + this.#depth(from)))
  }

  /** For how many it waits, one after the other. */
  #height(agent: string): number {
    return Math.max(0, ...this.#asked(agent).map((to) => 1 + this.#height(to)))
  }
}

const refused = (to: string, problem: string, hint: string) =>
  new InvalidInputError({ what: `Asking ${to}`, problem, hint })
