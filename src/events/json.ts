/** JSON as a type: all that a fact may hold, because what comes out of the log must equal what went in. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json }

type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] }
type MaybeGiven<T> = { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> }

/**
 * The object without its undefined fields: JSON has no undefined, so an optional field is left out instead.
 *
 * @example
 * defined({ agent, runId: undefined }) // { agent }
 */
export function defined<const T extends object>(fields: T): Given<T> & MaybeGiven<T> {
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) kept[name] = value
  return kept as Given<T> & MaybeGiven<T>
}
