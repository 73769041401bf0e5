/** A schema as a plain function: says yes to most valid values at once, and leaves all others to the schema itself. */
import type * as Schema from 'effect/Schema'
import type * as SchemaAST from 'effect/SchemaAST'

type Ast = Schema.Top['ast']

/** What a value must look like. */
type Shape =
  | { readonly kind: 'type'; readonly type: 'string' | 'number' | 'boolean' }
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'union'; readonly members: readonly Shape[] }
  | { readonly kind: 'list'; readonly item: Shape }
  | { readonly kind: 'struct'; readonly fields: readonly Field[] }
  | { readonly kind: 'record'; readonly key: Shape; readonly field: Shape }
  | {
      readonly kind: 'filtered'
      readonly shape: Shape
      readonly filters: readonly Filter[]
      readonly ast: Ast
    }
  | typeof UNSURE

interface Field {
  readonly name: PropertyKey
  readonly shape: Shape
  readonly isOptional: boolean
}

type Filter = SchemaAST.Filter<unknown>

/** Whatever is not known here is left to the schema. */
const UNSURE = { kind: 'unsure' } as const

const NO_OPTIONS = {}

/**
 * *Contract:* true only for a value that the schema accepts, with no key beyond those that it names. False means nothing: the
 * schema decides, and says what is wrong.
 */
export function compiledCheck(schema: Schema.Top): (value: unknown) => boolean {
  const shape = shapeOf(schema.ast)
  return (value) => fits(value, shape)
}

function fits(value: unknown, shape: Shape): boolean {
  switch (shape.kind) {
    case 'type':
      return typeof value === shape.type
    case 'value':
      return value === shape.value
    case 'union':
      for (const member of shape.members) if (fits(value, member)) return true
      return false
    case 'list':
      if (!Array.isArray(value)) return false
      for (const item of value) if (!fits(item, shape.item)) return false
      return true
    case 'struct': {
      if (!isObject(value)) return false
      let keys = 0
      for (const { name, shape: field, isOptional } of shape.fields) {
        if (Object.hasOwn(value, name)) {
          if (!fits(value[name], field)) return false
          keys += 1
        } else if (!isOptional || name in value) return false
      }
      return Reflect.ownKeys(value).length === keys
    }
    case 'record':
      if (!isObject(value)) return false
      for (const name of Reflect.ownKeys(value))
        if (!fits(name, shape.key) || !fits(value[name], shape.field)) return false
      return true
    case 'filtered':
      if (!fits(value, shape.shape)) return false
      for (const filter of shape.filters)
        if (filter.run(value, shape.ast, NO_OPTIONS) !== undefined) return false
      return true
    case 'unsure':
      return false
  }
}

const isObject = (value: unknown): value is Record<PropertyKey, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function shapeOf(ast: Ast): Shape {
  if (ast.encoding) return UNSURE
  const shape = unfiltered(ast)
  if (!ast.checks || shape === UNSURE) return shape
  const filters = ast.checks.filter((check) => check._tag === 'Filter')
  return filters.length < ast.checks.length ? UNSURE : { kind: 'filtered', shape, filters, ast }
}

function unfiltered(ast: Ast): Shape {
  switch (ast._tag) {
    case 'String':
      return { kind: 'type', type: 'string' }
    case 'Number':
      return { kind: 'type', type: 'number' }
    case 'Boolean':
      return { kind: 'type', type: 'boolean' }
    case 'Null':
      return { kind: 'value', value: null }
    case 'Literal':
      return { kind: 'value', value: ast.literal }
    case 'Union':
      return ast.options?.mode === 'oneOf' ? UNSURE : { kind: 'union', members: ast.types.map(shapeOf) }
    case 'Arrays': {
      const [item, ...more] = ast.rest
      if (!item || more.length > 0 || ast.elements.length > 0) return UNSURE
      return { kind: 'list', item: shapeOf(item) }
    }
    case 'Objects':
      return ast.indexSignatures.length === 0 ? structOf(ast) : recordOf(ast)
    default:
      return UNSURE
  }
}

function structOf({ propertySignatures }: SchemaAST.Objects): Shape {
  if (propertySignatures.length === 0) return UNSURE
  const fields = propertySignatures.map(({ name, type }) => ({
    name,
    shape: shapeOf(type),
    isOptional: type.context?.isOptional ?? false,
  }))
  return { kind: 'struct', fields }
}

function recordOf({ propertySignatures, indexSignatures: [signature, ...more] }: SchemaAST.Objects): Shape {
  if (!signature || more.length > 0 || propertySignatures.length > 0) return UNSURE
  return { kind: 'record', key: shapeOf(signature.parameter), field: shapeOf(signature.type) }
}
