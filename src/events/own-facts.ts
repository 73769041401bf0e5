/** The facts of user-defined actors, described by schemas of any library. */
import * as Schema from 'effect/Schema'
import { type CatalogEntry, catalogOf, type FactCatalog } from './catalog.ts'
import type { Fact, Identified } from './envelope.ts'
import { InvalidInputError } from './errors/usage.ts'
import { defined, type Json, type JsonObject } from './json.ts'

/** A schema of any library that implements Standard Schema (standardschema.dev): zod, valibot, arktype and others. */
export interface StandardSchema {
  readonly '~standard': {
    readonly validate: (value: unknown) => StandardResult | Promise<StandardResult>
    readonly types?: { readonly input: unknown; readonly output: unknown } | undefined
  }
}

type StandardResult =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] }

/** A schema of `effect/Schema`. */
export interface EffectSchema {
  readonly Type: unknown
  readonly ast: unknown
}

/** A schema for the data of a fact: from `effect/Schema`, or any Standard Schema. */
export type FactSchema = StandardSchema | EffectSchema

/** A schema; or one that has changed, with the upcasts that turn each older version into the next. */
export type OwnFact =
  | FactSchema
  | { readonly schema: FactSchema; readonly upcasts: readonly ((data: JsonObject) => JsonObject)[] }

export type OwnFacts = Readonly<Record<string, OwnFact>>

type DataOf<S> = S extends { readonly schema: infer Inner }
  ? DataOf<Inner>
  : S extends EffectSchema
    ? S['Type']
    : S extends { readonly '~standard': { readonly types?: infer T } }
      ? NonNullable<T> extends { readonly output: infer O }
        ? O
        : never
      : never

/** The facts that the schemas describe, as an actor decides them. */
export type OwnFactOf<D extends OwnFacts> = {
  [T in keyof D & string]: Fact<T, DataOf<D[T]>>
}[keyof D & string]

/**
 * The same facts as a machine folds them, for the types of its `setup`.
 *
 * @example
 * const facts = { Noted: Schema.Struct({ text: Schema.String }) }
 * setup({ types: {} as { context: Notes; events: FactsOf<typeof facts> } })
 */
export type FactsOf<D extends OwnFacts> = Identified<OwnFactOf<D>>

export function ownFactCatalog<D extends OwnFacts>(kind: string, facts: D): FactCatalog<OwnFactOf<D>> {
  const known = Object.entries(facts).map(([type, given]): [string, CatalogEntry] => {
    if (!/^[A-Z][A-Za-z0-9]{0,63}$/.test(type))
      refuse(
        `Fact "${type}" of kind "${kind}"`,
        'name a fact like NoteWritten: in the past tense, without spaces',
      )
    const { schema, upcasts } =
      'schema' in given && 'upcasts' in given ? given : { schema: given, upcasts: [] }
    const validate = validator(schema as FactSchema, `Fact "${type}" of kind "${kind}"`)
    return [
      type,
      { v: upcasts.length + 1, upcasts, check: (data) => plainJson(validate(data), 'data') as JsonObject },
    ]
  })
  return catalogOf(new Map(known))
}

/** Returns a function that checks data against the schema and returns the schema's output. */
function validator(schema: FactSchema, what: string): (data: unknown) => unknown {
  if (Schema.isSchema(schema)) {
    const decode = Schema.decodeUnknownSync(schema as Schema.Codec<unknown>, { onExcessProperty: 'error' })
    return (data) => {
      decode(data)
      return data
    }
  }
  const standard = (schema as Partial<StandardSchema>)?.['~standard']
  if (typeof standard?.validate !== 'function')
    return refuse(what, 'it has no schema', 'Give it a schema: effect/Schema, zod, valibot or arktype.')
  return (data) => {
    const result = standard.validate(data)
    if (result instanceof Promise)
      throw new Error('its schema is asynchronous, but facts are checked synchronously')
    if (result.issues) throw new Error(result.issues.map(({ message }) => message).join('; '))
    return result.value
  }
}

/** Throws for anything that JSON would lose or change: what comes out of the log must equal what went in. */
function plainJson(value: unknown, path: string): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (Array.isArray(value)) return value.map((item, at) => plainJson(item, `${path}[${at}]`))
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value))) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    return Object.fromEntries(entries.map(([key, item]) => [key, plainJson(item, `${path}.${key}`)]))
  }
  throw new Error(`${path} is not JSON`)
}

function refuse(what: string, problem: string, hint?: string): never {
  throw new InvalidInputError(defined({ what, problem, hint }))
}
