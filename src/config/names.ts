/** Converts between names in code (`maxTurns`) and names in the file (`max_turns`). */

type Snake<S extends string> = S extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Snake<Rest>}`
  : S

type Camel<S extends string> = S extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : S

export type InFile<T> = { readonly [K in keyof T as K extends string ? Snake<K> : never]: T[K] }
export type InCode<T> = { readonly [K in keyof T as K extends string ? Camel<K> : never]: T[K] }

/** The same values under their names in the file. */
export const inFile = <const T extends object>(values: T): InFile<T> =>
  renamed(values, (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) as InFile<T>

/** The same values under their names in code. */
export const inCode = <const T extends object>(values: T): InCode<T> =>
  renamed(values, (key) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())) as InCode<T>

const renamed = (values: object, rename: (key: string) => string): object =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [rename(key), value]))
