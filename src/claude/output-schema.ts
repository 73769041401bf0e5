/**
 * The JSON Schema of an answer as `claude` accepts it: draft-07 without annotations, and an object at the top.
 *
 * With a keyword that it does not know, 2.1.197 ignores the whole schema, and later versions refuse to start. The
 * service refuses anything but an object, after the request has been paid for. So unknown keywords are left out, and
 * any other value is asked for as the only property of an object, and taken out of it again.
 */
import { OutputSchemaError } from '../events/errors/call.ts'
import { isJsonObject, type Json, type JsonObject } from '../events/json.ts'

export interface OutputSchema {
  readonly schema: JsonObject
  /** Takes the answer out of what the model gave. */
  unwrap(output: unknown): unknown
}

/** The property that holds an answer that is not an object. */
const VALUE = 'value'

/** How the value of a keyword is built: of schemas, or of data that must not be changed. */
type Shape = 'schema' | 'schemas' | 'named schemas' | 'schema or schemas' | 'schema or names' | 'data'

/** The keywords of draft-07 that say what is valid, and those that tell the model what is meant. */
const KEYWORDS: ReadonlyMap<string, Shape> = new Map([
  ...keywords('data', 'title description default type enum const $ref required minimum maximum multipleOf'),
  ...keywords('data', 'exclusiveMinimum exclusiveMaximum minLength maxLength pattern minItems maxItems'),
  ...keywords('data', 'uniqueItems minProperties maxProperties'),
  ...keywords('named schemas', 'definitions $defs properties patternProperties'),
  ...keywords('schema', 'additionalProperties propertyNames additionalItems contains not if then else'),
  ...keywords('schemas', 'allOf anyOf oneOf'),
  ...keywords('schema or schemas', 'items'),
  ...keywords('schema or names', 'dependencies'),
])

function keywords(shape: Shape, names: string): [string, Shape][] {
  return names.split(' ').map((name) => [name, shape])
}

/** What later drafts call what draft-07 can say as well. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['prefixItems', 'items'],
  ['dependentRequired', 'dependencies'],
  ['dependentSchemas', 'dependencies'],
])

/** Throws {@link OutputSchemaError} for a schema that cannot be used, before anything is paid for. */
export function outputSchema(given: JsonObject): OutputSchema {
  const isWrapped = !isPlainObject(given)
  const schema = normalized(given, isWrapped ? `#/properties/${VALUE}` : '#') as JsonObject
  if (!isWrapped) return { schema, unwrap: (output) => output }
  const { $defs, definitions, ...rest } = schema
  return {
    schema: {
      type: 'object',
      properties: { [VALUE]: rest },
      required: [VALUE],
      additionalProperties: false,
      ...($defs === undefined ? {} : { $defs }),
      ...(definitions === undefined ? {} : { definitions }),
    },
    unwrap: (output) =>
      typeof output === 'object' && output !== null && VALUE in output ? output[VALUE] : undefined,
  }
}

/** Never throws: an answer to a schema that would be refused today was paid for all the same. */
export function unwrapper(schema: JsonObject): OutputSchema['unwrap'] {
  try {
    return outputSchema(schema).unwrap
  } catch {
    return (output) => output
  }
}

/** The service takes no alternatives at the top either. */
const isPlainObject = (schema: JsonObject) =>
  schema.type === 'object' && !['$ref', 'anyOf', 'oneOf', 'allOf'].some((keyword) => keyword in schema)

/** @param root Where the root of the given schema will be. */
function normalized(schema: Json, root: string): Json {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return schema
  const known: Record<string, Json> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    // With `prefixItems`, `items` is about the rest.
    const isRest = keyword === 'items' && 'prefixItems' in schema
    const name = isRest ? 'additionalItems' : (RENAMED.get(keyword) ?? keyword)
    const shape = KEYWORDS.get(name)
    if (shape === undefined || value === undefined) continue
    check(name, value)
    const built = name === '$ref' ? localReference(value, root) : rebuilt(value, shape, root)
    const before = known[name]
    known[name] = isJsonObject(before) && isJsonObject(built) ? { ...before, ...built } : built
  }
  return known
}

function rebuilt(value: Json, shape: Shape, root: string): Json {
  if (shape === 'data') return value
  if (shape === 'schema') return normalized(value, root)
  if (Array.isArray(value)) {
    // A list of names.
    return shape === 'schema or names' ? value : value.map((one: Json) => normalized(one, root))
  }
  if (shape === 'schema or schemas') return normalized(value, root)
  if (!isJsonObject(value)) return value
  const inner = shape === 'named schemas' ? 'schema' : shape
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name,
      inner === 'schema or names' && Array.isArray(one) ? one : normalized(one, root),
    ]),
  )
}

const TYPES = new Set<unknown>(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'])

/** What an older `claude` would ignore together with the whole schema. */
function check(name: string, value: Json): void {
  const types = Array.isArray(value) ? value : [value]
  if (name === 'type' && !types.every((type) => TYPES.has(type))) throw refused(name, value)
  if (name === 'required' && !(Array.isArray(value) && value.every((one) => typeof one === 'string')))
    throw refused(name, value)
  if (name === 'properties' && !isJsonObject(value)) throw refused(name, value)
  if (name === 'pattern' && !isPattern(value)) throw refused(name, value)
}

const refused = (name: string, value: Json) =>
  new OutputSchemaError({ said: `"${name}" cannot be ${JSON.stringify(value).slice(0, 200)}` })

function isPattern(value: Json): boolean {
  try {
    return typeof value === 'string' && new RegExp(value, 'u') !== null
  } catch {
    return false
  }
}

function localReference(value: Json, root: string): Json {
  if (typeof value !== 'string') return value
  if (!value.startsWith('#')) {
    throw new OutputSchemaError({
      said: `it refers to ${JSON.stringify(value.slice(0, 200))}, which is not in it`,
    })
  }
  // Definitions stay at the top.
  return /^#\/(\$defs|definitions)\//.test(value) ? value : `${root}${value.slice(1)}`
}
