/** A schema as a plain function: says yes to most valid values at once, and leaves all others to the schema itself. */
import type * as Schema from 'effect/Schema'

type Ast = Schema.Top['ast']
type Check = (value: unknown) => boolean

/** Whatever the compiler does not know is left to the schema. */
const unsure: Check = () => false

/**
 * *Contract:* true only for a value that the schema accepts, with no key beyond those that it names. False means nothing: the
 * schema decides, and says what is wrong.
 */
export function compiledCheck(schema: Schema.Top): Check {
  return compiled(schema.ast)
}

function compiled(ast: Ast): Check {
  if (ast.encoding) return unsure
  const check = ofType(ast)
  const filters = (ast.checks ?? []).map((filter) => (filter._tag === 'Filter' ? filter : undefined))
  if (filters.length === 0 || check === unsure) return check
  if (filters.includes(undefined)) return unsure
  return (value) =>
    check(value) && filters.every((filter) => filter?.run(value, ast, NO_OPTIONS) === undefined)
}

const NO_OPTIONS = {}

function ofType(ast: Ast): Check {
  switch (ast._tag) {
    case 'String':
      return ofPrimitive('string')
    case 'Number':
      return ofPrimitive('number')
    case 'Boolean':
      return ofPrimitive('boolean')
    case 'Null':
      return ofValue(null)
    case 'Literal':
      return ofValue(ast.literal)
    case 'Union': {
      if (ast.options?.mode === 'oneOf') return unsure
      const members = ast.types.map(compiled)
      return (value) => members.some((member) => member(value))
    }
    case 'Arrays': {
      const [rest, ...more] = ast.rest
      if (!rest || more.length > 0 || ast.elements.length > 0) return unsure
      const item = compiled(rest)
      return (value) => Array.isArray(value) && value.every(item)
    }
    case 'Objects':
      return ast.indexSignatures.length === 0 ? ofStruct(ast) : ofRecord(ast)
    default:
      return unsure
  }
}

const ofPrimitive =
  (type: 'string' | 'number' | 'boolean'): Check =>
  (value) =>
    typeof value === type

const ofValue =
  (known: unknown): Check =>
  (value) =>
    value === known

type Objects = Extract<Ast, { _tag: 'Objects' }>

function ofStruct({ propertySignatures }: Objects): Check {
  if (propertySignatures.length === 0) return unsure
  const fields = propertySignatures.map(({ name, type }) => ({
    name,
    check: compiled(type),
    isOptional: type.context?.isOptional ?? false,
  }))
  return (value) => {
    if (!isObject(value)) return false
    let keys = 0
    for (const { name, check, isOptional } of fields) {
      if (Object.hasOwn(value, name)) {
        if (!check(value[name])) return false
        keys += 1
      } else if (!isOptional || name in value) return false
    }
    return Reflect.ownKeys(value).length === keys
  }
}

function ofRecord({ propertySignatures, indexSignatures: [signature, ...more] }: Objects): Check {
  if (!signature || more.length > 0 || propertySignatures.length > 0) return unsure
  const [key, check] = [compiled(signature.parameter), compiled(signature.type)]
  return (value) => isObject(value) && Reflect.ownKeys(value).every((name) => key(name) && check(value[name]))
}

const isObject = (value: unknown): value is Record<PropertyKey, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
