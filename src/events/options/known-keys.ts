/** Refuses misspelt keys of an argument, which would otherwise be ignored. */
import { InvalidInputError } from '../errors/usage.ts'
import { nameHint } from '../nearest-name.ts'
import { checkArgument } from './decoding.ts'

/** Every key of a type: the compiler asks for new ones. */
export type KnownKeys<T> = Readonly<Record<keyof T, true>>

/**
 * Throws {@link InvalidInputError} for a value of another kind, and for a key that is not known and not undefined. `noun` is what a key
 * is called.
 */
export function refuseUnknownKeys<T extends object>(
  given: T,
  known: KnownKeys<T>,
  { what, noun }: { readonly what: string; readonly noun: string },
): void {
  checkArgument(what, given, 'an object')
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || Object.hasOwn(known, key)) continue
    throw new InvalidInputError({
      what,
      problem: `there is no ${noun} ${JSON.stringify(key.slice(0, 40))}`,
      hint: nameHint(key, Object.keys(known)),
    })
  }
}
