/** How work lands on a branch: in a request, in a step of a pattern, in a fleet. */
import { InvalidInputError } from '../errors/usage.ts'
import { checkArgument, type KnownKeys, refuseUnknownKeys } from './decoding.ts'

/** How work lands. A type rather than an interface, because it must be JSON. */
export type StepLanding = {
  /** The branch. Default: the one that the agent began from, or the current one of the repository. */
  readonly into?: string
  /** A command that has to succeed on the merged files, run by a shell in a tree of its own: `npm test`. Default: none. */
  readonly gate?: string
  /** Whether the work of an agent becomes one commit. Default: false, and it is merged. */
  readonly squash?: boolean
}

export const LANDING_OPTIONS: KnownKeys<StepLanding> = { into: true, gate: true, squash: true }

/** Before anything is asked: what cannot land has cost money all the same. Throws InvalidInputError. */
export function checkLanding<Options extends StepLanding>(
  options: Options,
  what: string,
  known: KnownKeys<Options>,
): void {
  checkArgument(what, options, 'an object')
  refuseUnknownKeys(options, known, { what, noun: 'option' })
  for (const [name, value] of Object.entries({ into: options.into, gate: options.gate }))
    if (value !== undefined) {
      checkArgument(name, value, 'a text')
      if (value.trim() === '') throw new InvalidInputError({ what: name, problem: 'it is empty' })
    }
}
