/** The values of a specification: each is as it should be, or refused with its place. */

import { InvalidSpecificationError } from '../../events/errors/supervision.ts'
import { InvalidIdError } from '../../events/errors/usage.ts'
import { checkId } from '../../events/ids.ts'
import { nameHint } from '../../events/nearest-name.ts'

export function checkedId(what: string, id: unknown, where: string): string {
  if (id === undefined) refuse(where, 'it has no id')
  try {
    return checkId(what, id)
  } catch (error) {
    if (error instanceof InvalidIdError) refuse(where, error.summary.replace(/\.$/, ''), error.hint)
    throw error
  }
}

/** A misspelt name must not be passed over in silence. */
export function checkKeys(value: object, known: readonly string[], where: string): void {
  if (typeof value !== 'object' || value === null)
    refuse(where, `it is not an object with ${known.join(', ')}`)
  const other = Object.keys(value).find((key) => !known.includes(key))
  if (other !== undefined) refuse(where, `there is no ${JSON.stringify(other)}`, nameHint(other, known))
}

export function oneOf<const T extends string>(known: readonly T[], given: unknown, where: string): T {
  const found = known.find((one) => one === given)
  if (found !== undefined) return found
  return refuse(where, `${shown(given)} is not one of ${known.join(', ')}`)
}

export function wholeNumber(given: unknown, least: number, where: string): number {
  if (Number.isSafeInteger(given) && Number(given) >= least) return Number(given)
  return refuse(where, `${shown(given)} is not a whole number of at least ${least}`)
}

export const shown = (value: unknown) => JSON.stringify(value) ?? String(value)

export function refuse(where: string, problem: string, hint?: string): never {
  throw new InvalidSpecificationError({ where, problem, ...(hint === undefined ? {} : { hint }) })
}
