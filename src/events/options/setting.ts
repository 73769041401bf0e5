/** A setting: its schema, meaning and default, from which code, configuration file and log derive theirs. */
import * as Schema from 'effect/Schema'
import type { Decodable } from './decoding.ts'

export interface Setting<S extends Schema.Top = Schema.Top, F = unknown> {
  readonly schema: S
  /** A phrase that completes `It is ...`. */
  readonly means: string
  /** The default; undefined if there is none. */
  readonly fallback: F
}

export type Settings = Readonly<Record<string, Setting>>

export function setting<S extends Schema.Top>(schema: S, means: string): Setting<S, undefined>
export function setting<S extends Schema.Top>(
  schema: S,
  means: string,
  fallback: S['Type'],
): Setting<S, S['Type']>
export function setting<S extends Schema.Top>(schema: S, means: string, fallback?: S['Type']): Setting<S> {
  return { schema, means, fallback }
}

type OptionalFields<F extends Schema.Struct.Fields> = { readonly [K in keyof F]: Schema.optionalKey<F[K]> }

/** The same fields, each optional. */
export const partial = <const F extends Schema.Struct.Fields>(fields: F): OptionalFields<F> =>
  mapped(fields, (field) => Schema.optionalKey(field)) as unknown as OptionalFields<F>

type Schemas<T extends Settings> = { readonly [K in keyof T]: T[K]['schema'] }

/** Fields for options: each setting is optional. */
export const optional = <const T extends Settings>(settings: T): OptionalFields<Schemas<T>> =>
  partial(mapped(settings, ({ schema }) => schema) as Schemas<T>)

type Whole<T extends Settings> = {
  readonly [K in keyof T]: T[K]['fallback'] extends undefined ? Schema.NullOr<T[K]['schema']> : T[K]['schema']
}

/** Fields for facts: each setting is present; null if it is not set and has no default. */
export function whole<const T extends Settings>(settings: T): Whole<T> {
  return mapped(settings, ({ schema, fallback }) =>
    fallback === undefined ? Schema.NullOr(schema) : schema,
  ) as Whole<T>
}

type Values<T extends Settings> = { readonly [K in keyof T]?: T[K]['schema']['Type'] }
type WholeValues<T extends Settings> = { readonly [K in keyof T]: Whole<T>[K]['Type'] }

/** The values of {@link whole}: those given, then the defaults. */
export function completed<const T extends Settings>(settings: T, values: Values<T>): WholeValues<T> {
  return mapped(settings, ({ fallback }, key) => values[key] ?? fallback ?? null) as WholeValues<T>
}

const mapped = <V, R>(
  values: Readonly<Record<string, V>>,
  each: (value: V, key: string) => R,
): Record<string, R> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, each(value, key)]))

/** Whether two types have the same keys with the same values. */
type Same<A, B> = [A, keyof A] extends [B, keyof B]
  ? [B, keyof B] extends [A, keyof A]
    ? true
    : false
  : false

/** Returns the schema. Compiles only if its type equals `T`, the interface that documents it for users. */
export const explainedBy =
  <T>() =>
  <S extends Decodable>(schema: S & (Same<T, S['Type']> extends true ? unknown : never)): S =>
    schema
