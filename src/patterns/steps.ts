/** Checks what a pattern is made of, before anything is asked. */
import { InvalidInputError } from '../events/errors/usage.ts'
import type { Step } from './pattern.ts'

/** Throws {@link InvalidInputError} for no steps, or something that is none. */
export function checkSteps(pattern: string, steps: readonly Step[]): void {
  if (!Array.isArray(steps) || steps.length === 0) {
    throw new InvalidInputError({ what: pattern, problem: 'there are no agents', hint: 'Name at least one.' })
  }
  for (const step of steps) checkStep(pattern, step)
}

export function checkStep(pattern: string, step: Step): void {
  if (typeof step === 'function' || (typeof step === 'string' && step !== '')) return
  if (typeof step === 'object' && step !== null && typeof step.pool === 'string') return
  throw new InvalidInputError({
    what: pattern,
    problem: `${JSON.stringify(step)} is not an agent, a pool or a pattern`,
  })
}

/** Where results are told apart by agent, an agent can be there only once. */
export function refuseTwice(pattern: string, steps: readonly Step[]): void {
  const twice = steps.find((step, index) => typeof step === 'string' && steps.indexOf(step) !== index)
  if (twice === undefined) return
  throw new InvalidInputError({
    what: pattern,
    problem: `the agent ${JSON.stringify(twice)} is named twice`,
    hint: 'Name each once; for several answers of one agent there is vote.',
  })
}

/** A whole number of at least one. */
export function checkCount(what: string, count: number): void {
  if (count === Number.POSITIVE_INFINITY || (Number.isSafeInteger(count) && count > 0)) return
  throw new InvalidInputError({ what, problem: `${count} is not a whole number of at least 1` })
}
