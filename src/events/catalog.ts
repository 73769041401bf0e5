/** The facts of one kind of actor: each type's schema, its version, and the upcasts from older versions. */
import * as Schema from 'effect/Schema'
import type { Fact, Identified, NewFact, Recorded } from './envelope.ts'
import { InvalidFactError, UnknownFactError, UnreadableFactError } from './errors/fact.ts'
import type { JsonObject } from './json.ts'
import { compiledCheck } from './options/compiled-check.ts'

/** One type of fact. `upcasts[n]` turns data of version n+1 into data of version n+2. */
export interface FactDefinition<
  S extends Schema.Codec<unknown, JsonObject> = Schema.Codec<unknown, JsonObject>,
> {
  readonly schema: S
  readonly v: number
  readonly upcasts: readonly ((data: JsonObject) => JsonObject)[]
}

export type FactDefinitions = Readonly<Record<string, FactDefinition>>

/** The union of the facts that a set of definitions describes. */
export type FactOf<D extends FactDefinitions> = {
  [T in keyof D & string]: Fact<T, D[T]['schema']['Type']>
}[keyof D & string]

/** Validates facts that are written to the log, and upcasts facts that are read from it. */
export interface FactCatalog<F extends Fact<string, unknown>> {
  readonly types: readonly F['type'][]
  /** The newest known version of each type. */
  readonly versions: Readonly<Record<string, number>>
  /** The current name of a fact's type. */
  typeOf(recorded: Pick<Recorded, 'type'>): string
  /** Checks the data against its schema: nothing malformed enters the log. Throws {@link InvalidFactError}. */
  write(fact: F): NewFact
  /** Checks type and version, and upcasts; the record's hash vouches for the data. Throws {@link UnknownFactError}, and
   * {@link UnreadableFactError} if an upcast throws. */
  read(recorded: Recorded): Identified<F>
}

/**
 * @param renamed The current names of renamed types, by their old names.
 * @example
 * const catalog = factCatalog({ Counted: fact(Schema.Struct({ by: Schema.Int })) })
 * catalog.write({ type: 'Counted', data: { by: 2 } }) // { type, data, v: 1 }
 */
export function factCatalog<const D extends FactDefinitions>(
  definitions: D,
  renamed: Readonly<Record<string, keyof D & string>> = {},
): FactCatalog<FactOf<D>> {
  const known = new Map(
    Object.entries(definitions).map(([type, { schema, v, upcasts }]) => {
      const decode = Schema.decodeUnknownSync(schema, { onExcessProperty: 'error' })
      const isValid = compiledCheck(schema)
      const check = (data: unknown) => {
        if (!isValid(data)) decode(data)
        return data as JsonObject
      }
      return [type, { v, upcasts, check }]
    }),
  )
  return catalogOf(known, renamed)
}

/** One type of fact, independent of the library that its schema comes from. */
export interface CatalogEntry {
  readonly v: number
  readonly upcasts: FactDefinition['upcasts']
  /** Returns the data as it is written. Throws if it does not match the schema. */
  readonly check: (data: unknown) => JsonObject
}

/** A catalog from entries by type. */
export function catalogOf<F extends Fact<string, unknown>>(
  known: ReadonlyMap<string, CatalogEntry>,
  renamed: Readonly<Record<string, string>> = {},
): FactCatalog<F> {
  const typeOf = ({ type }: Pick<Recorded, 'type'>) =>
    Object.hasOwn(renamed, type) ? (renamed[type] ?? type) : type
  return {
    typeOf,
    types: [...known.keys()],
    versions: Object.fromEntries([...known].map(([type, { v }]) => [type, v])),
    write(fact) {
      const definition = known.get(fact.type)
      if (!definition) throw new InvalidFactError({ type: fact.type, problem: 'no such type of fact' })
      try {
        return { type: fact.type, v: definition.v, data: definition.check(fact.data) }
      } catch (cause) {
        throw new InvalidFactError({ type: fact.type, problem: (cause as Error).message }, { cause })
      }
    },
    read(recorded) {
      const type = typeOf(recorded)
      const definition = known.get(type)
      if (!definition || recorded.v > definition.v || recorded.v < 1) {
        throw new UnknownFactError({
          type: recorded.type,
          v: recorded.v,
          known: definition?.v ?? null,
          position: recorded.position,
        })
      }
      const data = recorded.v === definition.v ? recorded.data : upcast(recorded, definition)
      return { type, data, id: recorded.id } as Identified<F>
    },
  }
}

function upcast(recorded: Recorded, { v: newest, upcasts }: CatalogEntry): JsonObject {
  let { data } = recorded
  try {
    for (let v = recorded.v; v < newest; v++) data = upcasts[v - 1]?.(data) ?? data
  } catch (cause) {
    const { stream, version, type } = recorded
    throw new UnreadableFactError(
      { stream, version, type, step: 'upcast', problem: (cause as Error)?.message ?? String(cause) },
      { cause },
    )
  }
  return data
}

/** Defines a type of fact. Its version is one more than its number of upcasts: changing a fact means adding one. */
export function fact<S extends Schema.Codec<unknown, JsonObject>>(
  schema: S,
  ...upcasts: ((data: JsonObject) => JsonObject)[]
): FactDefinition<S> {
  return { schema, v: upcasts.length + 1, upcasts }
}
