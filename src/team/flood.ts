/** How much one call may ask at a time, and in all. */
import { InvalidInputError } from '../events/errors/usage.ts'
import { plural } from '../events/figures.ts'

export const MOST_AT_ONCE = 4
export const MOST_OF_A_CALL = 100

/** A call, and what it has asked. */
export interface AskingCall {
  readonly agent: string
  atOnce: number
  inAll: number
}

/** A call asks something, until what this returns is called. Throws InvalidInputError. */
export function countAsk(call: AskingCall): () => void {
  const { atOnce, inAll } = call
  if (atOnce >= MOST_AT_ONCE)
    throw refused(`you wait for ${plural(atOnce, 'answer')} already`, 'Wait for these first.')
  if (inAll >= MOST_OF_A_CALL)
    throw refused(`you have asked ${inAll} times, which is the most`, 'Answer with what you have heard.')
  call.atOnce++
  call.inAll++
  return () => {
    call.atOnce--
  }
}

const refused = (problem: string, hint: string) => new InvalidInputError({ what: 'ask_agent', problem, hint })
