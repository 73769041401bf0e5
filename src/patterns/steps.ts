/** Checks the arguments of patterns before anything is asked. */
import { InvalidInputError } from '../events/errors/usage.ts'
import { named } from '../events/options/decoding.ts'
import type { Step } from './pattern.ts'

/** Throws {@link InvalidInputError} if there are no steps, or for anything that is not a step. */
export function checkSteps(pattern: string, steps: readonly Step[]): void {
  if (!Array.isArray(steps) || steps.length === 0) {
    throw new InvalidInputError({ what: pattern, problem: 'there are no agents', hint: 'Name at least one.' })
  }
  for (const [index, step] of steps.entries()) checkStep(`${pattern}[${index}]`, step)
}

export function checkStep(what: string, step: Step): void {
  if (typeof step === 'function' || (typeof step === 'string' && step !== '')) return
  if (typeof step === 'object' && step !== null && typeof step.pool === 'string') return
  throw new InvalidInputError({
    what,
    problem: `${named(step)} is not an agent, a pool or a pattern`,
  })
}

/** For patterns whose results are keyed by agent: each agent may be named only once. */
export function refuseTwice(pattern: string, steps: readonly Step[]): void {
  const twice = steps.find((step, index) => typeof step === 'string' && steps.indexOf(step) !== index)
  if (twice === undefined) return
  throw new InvalidInputError({
    what: pattern,
    problem: `the agent ${JSON.stringify(twice)} is named twice`,
    hint: 'Name each agent once; to ask one agent several times, use vote.',
  })
}

/** Throws {@link InvalidInputError} for anything but a whole number of at least one, or infinity. */
export function checkCount(what: string, count: number): void {
  if (count === Number.POSITIVE_INFINITY || (Number.isSafeInteger(count) && count > 0)) return
  throw new InvalidInputError({ what, problem: `${count} is not a whole number of at least 1` })
}
