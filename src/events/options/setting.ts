/** A value that can be set: its schema, what it means, and its default. Code, configuration and log derive theirs from it. */
import * as Schema from 'effect/Schema'
import type { Decodable } from './decoding.ts'

/** `fallback` is undefined where nothing takes the place of a value that is not set. */
export interface Setting<S extends Schema.Top = Schema.Top, F = unknown> {
  readonly schema: S
  /** A phrase that goes on after the name. */
  readonly means: string
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

type Partial<F extends Schema.Struct.Fields> = { readonly [K in keyof F]: Schema.optionalKey<F[K]> }

/** Fields none of which need be there. */
export const partial = <const F extends Schema.Struct.Fields>(fields: F): Partial<F> =>
  mapped(fields, (field) => Schema.optionalKey(field)) as unknown as Partial<F>

type Schemas<T extends Settings> = { readonly [K in keyof T]: T[K]['schema'] }

/** Fields for what may be said of settings: any of them, or none. */
export const optional = <const T extends Settings>(settings: T): Partial<Schemas<T>> =>
  partial(mapped(settings, ({ schema }) => schema) as Schemas<T>)

type Whole<T extends Settings> = {
  readonly [K in keyof T]: T[K]['fallback'] extends undefined ? Schema.NullOr<T[K]['schema']> : T[K]['schema']
}

/** Fields for what is written down: all of them; null for what is not set and has no default. */
export function whole<const T extends Settings>(settings: T): Whole<T> {
  return mapped(settings, ({ schema, fallback }) =>
    fallback === undefined ? Schema.NullOr(schema) : schema,
  ) as Whole<T>
}

type Values<T extends Settings> = { readonly [K in keyof T]?: T[K]['schema']['Type'] }
type WholeValues<T extends Settings> = { readonly [K in keyof T]: Whole<T>[K]['Type'] }

/** The values with the defaults in place of those that are not there. */
export function completed<const T extends Settings>(settings: T, values: Values<T>): WholeValues<T> {
  return mapped(settings, ({ fallback }, key) => values[key] ?? fallback ?? null) as WholeValues<T>
}

const mapped = <V, R>(
  values: Readonly<Record<string, V>>,
  each: (value: V, key: string) => R,
): Record<string, R> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, each(value, key)]))

/** Whether two types have the same keys, and the same values under each. */
type Same<A, B> = [A, keyof A] extends [B, keyof B]
  ? [B, keyof B] extends [A, keyof A]
    ? true
    : false
  : false

/** The schema itself. Does not compile unless its values are exactly those of the interface that explains them to users. */
export const explainedBy =
  <T>() =>
  <S extends Decodable>(schema: S & (Same<T, S['Type']> extends true ? unknown : never)): S =>
    schema
