/** Decodes options from code and files, checks arguments, and reports mistakes in the project's own words. */
import * as Schema from 'effect/Schema'
import * as SchemaAST from 'effect/SchemaAST'
import * as SchemaIssue from 'effect/SchemaIssue'
import { InvalidInputError } from '../errors/usage.ts'
import { defined } from '../json.ts'
import { nameHint } from '../nearest-name.ts'

/** From the root of a value to one of its parts: keys and indices. */
export type ValuePath = readonly PropertyKey[]

/** Annotations of a schema that messages use. */
export interface ValueAnnotations {
  /** What is wrong with a value that does not match, as the end of a sentence: `is not a number from 0 to 1`. */
  readonly problem?: string | undefined
  /** What to write instead. */
  readonly hint?: string
  /** What a key is called: `there is no limit "mailboxes"`. */
  readonly noun?: string
  /** The whole message for a file, instead of one per member of a union. */
  readonly message?: string
  /** The name of the value in messages. Default: its path. */
  readonly title?: string
  /** Whether messages must not repeat the value, which may be a secret. */
  readonly isPrivate?: boolean
}

/** One mistake in a value. */
export interface Mistake {
  readonly path: ValuePath
  /** `unknown`: no such key exists. `missing`: the last key of the path is required. `value`: the value is wrong. */
  readonly kind: 'unknown' | 'missing' | 'value'
  /** The value at the path. */
  readonly given: unknown
  /** What effect expected; empty if the annotation of a union describes the problem. */
  readonly expected: string
  readonly annotations: ValueAnnotations
  /** For an unknown key: the keys that exist. */
  readonly known: readonly string[]
}

/** A schema that needs no services to decode. */
export type Decodable<T = unknown> = Schema.Codec<T, unknown>

/** The decoded value. `refuse` gets every mistake, and throws. */
export function decoded<T>(
  schema: Decodable<T>,
  given: unknown,
  refuse: (mistakes: readonly [Mistake, ...Mistake[]]) => never,
): T {
  const value = withoutUndefined(given)
  try {
    return Schema.decodeUnknownSync(schema, { errors: 'all', onExcessProperty: 'error' })(value)
  } catch (cause) {
    if (!Schema.isSchemaError(cause)) throw cause
    const [first, ...others] = mistakesIn(cause.issue, value)
    if (!first) throw cause
    return refuse([first, ...others])
  }
}

/** The name of an argument in error messages. */
export interface InputName {
  readonly name: string
  /** Whether the paths of its parts begin with the name: `limits.mailbox`, as opposed to `timeoutMs`. */
  readonly prefixes?: boolean
  /** What to say after an unknown key, such as `Nothing was written`. */
  readonly outcome?: string
}

/** A decoded argument. Throws {@link InvalidInputError} for the first mistake. */
export function decodedInput<T>(schema: Decodable<T>, given: unknown, whole: InputName): T {
  return decoded(schema, given, ([mistake]) => {
    const { name, prefixes = false, outcome } = whole
    const { kind, path, annotations } = mistake
    const place = pathName(kind === 'value' ? path : path.slice(0, -1), prefixes ? name : '') || name
    const { problem, hint } = problemOf(mistake)
    const what = kind === 'value' ? (annotations.title ?? place) : place
    const said = kind === 'unknown' && outcome !== undefined ? `${problem}. ${outcome}` : problem
    throw new InvalidInputError(defined({ what, problem: said, hint }))
  })
}

/** What is wrong and what to write instead, in terms of code. */
export function problemOf(mistake: Mistake): { readonly problem: string; readonly hint?: string } {
  const { kind, path, given, annotations, known } = mistake
  const { problem, hint, noun } = annotations
  const key = String(path.at(-1))
  if (kind === 'unknown') {
    const what = noun === undefined ? '' : `${noun} `
    return { problem: `there is no ${what}${JSON.stringify(key)}`, hint: nameHint(key, known) }
  }
  const said =
    kind === 'missing' ? (problem ?? `it has no ${key}`) : `${named(given)} ${problem ?? 'is wrong'}`
  return defined({ problem: said, hint })
}

/** A value as it was written; `it` if it is blank, an object, or long. */
export function named(given: unknown): string {
  if ((typeof given === 'object' && given !== null) || (typeof given === 'string' && given.trim() === ''))
    return 'it'
  const shown = typeof given === 'number' || typeof given === 'bigint' ? String(given) : JSON.stringify(given)
  return shown === undefined || shown.length > 60 ? 'it' : shown
}

/** `agents[0].id`, appended to `start`. */
export function pathName(path: ValuePath, start = ''): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    return text === '' ? String(part) : `${text}.${String(part)}`
  }, start)
}

/** The mistakes of an issue in the order of the schema, each once. */
function mistakesIn(issue: SchemaIssue.Issue, given: unknown): readonly Mistake[] {
  const found = mistakes(issue, [], given, undefined)
  return found.filter(
    (one, index) =>
      found.findIndex((other) => other.expected === one.expected && sameValues(other.path, one.path)) ===
      index,
  )
}

const sameValues = (one: ValuePath, other: ValuePath) =>
  one.length === other.length && one.every((part, at) => part === other[at])

const formatter = SchemaIssue.makeFormatterStandardSchemaV1()

/** `schema` is the one of the value at this path. */
function mistakes(
  issue: SchemaIssue.Issue,
  path: ValuePath,
  root: unknown,
  schema: SchemaAST.AST | undefined,
): readonly Mistake[] {
  const inner = (issues: readonly SchemaIssue.Issue[], ast = schema) =>
    issues.flatMap((one) => mistakes(one, path, root, ast))
  const mistake = (
    kind: Mistake['kind'],
    ast: SchemaAST.AST | undefined,
    said: ValueAnnotations,
  ): Mistake => ({
    path,
    kind,
    given: said.isPrivate ? undefined : valueAt(root, path),
    expected: formatter(issue).issues[0]?.message ?? '',
    annotations: said,
    known: ast !== undefined && SchemaAST.isObjects(ast) ? keysOf(ast) : [],
  })
  switch (issue._tag) {
    case 'Pointer':
      return mistakes(issue.issue, [...path, ...issue.path], root, undefined)
    case 'Composite':
      return inner(issue.issues, issue.ast)
    case 'Encoding':
      return inner([issue.issue], issue.ast)
    case 'AnyOf': {
      const { problem, message } = ownAnnotations(issue.ast)
      if (issue.issues.length === 0) return [mistake('value', issue.ast, annotationsOf(issue.ast))]
      // One message per member would not say which of them was meant.
      if (problem ?? message)
        return [{ ...mistake('value', issue.ast, annotationsOf(issue.ast)), expected: '' }]
      return inner(issue.issues)
    }
    case 'UnexpectedKey':
      return [mistake('unknown', issue.ast, annotationsOf(issue.ast))]
    case 'MissingKey':
      return [mistake('missing', undefined, (issue.annotations ?? {}) as ValueAnnotations)]
    case 'Filter': {
      const { message: problem, ...said } = (issue.issue as SchemaIssue.InvalidValue).annotations ?? {}
      const own = {
        ...(issue.filter.annotations as ValueAnnotations),
        ...said,
        ...(problem ? { problem } : {}),
      }
      return [mistake('value', schema, { ...(schema && annotationsOf(schema)), ...own })]
    }
    case 'InvalidType':
      return [mistake('value', issue.ast, annotationsOf(issue.ast))]
    default:
      return [mistake('value', schema, schema ? annotationsOf(schema) : {})]
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  Objects: 'is not an object',
  Arrays: 'is not a list',
  String: 'is not a text',
  Number: 'is not a number',
  Boolean: 'is neither true nor false',
}

const ownAnnotations = (ast: SchemaAST.AST): ValueAnnotations => SchemaAST.resolve(ast) ?? {}

/** The annotations of a schema; by default, the problem follows from its type. */
export function annotationsOf(ast: SchemaAST.AST): ValueAnnotations {
  return {
    ...(SchemaAST.isUnion(ast) ? annotationsOfUnion(ast) : { problem: PROBLEMS[ast._tag] }),
    ...ownAnnotations(ast),
  }
}

function annotationsOfUnion({ types }: SchemaAST.Union): ValueAnnotations {
  if (types.every(SchemaAST.isLiteral))
    return { problem: `is not one of ${types.map(({ literal }) => literal).join(', ')}` }
  const [value] = types.filter((type) => !SchemaAST.isNull(type))
  return value ? annotationsOf(value) : {}
}

const keysOf = ({ propertySignatures }: SchemaAST.Objects): readonly string[] =>
  propertySignatures.map(({ name }) => String(name))

const valueAt = (root: unknown, path: ValuePath): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : value,
    root,
  )

/** An undefined value counts as absent. Only plain objects and lists are searched. */
function withoutUndefined(value: unknown, within: readonly unknown[] = []): unknown {
  // What contains itself is left as it is, for the schema to refuse.
  if (typeof value !== 'object' || value === null || within.includes(value)) return value
  const inside = [...within, value]
  if (Array.isArray(value)) return value.map((part) => withoutUndefined(part, inside))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, part]) =>
      part === undefined ? [] : [[key, withoutUndefined(part, inside)]],
    ),
  )
}

/** Whether a value has these methods. */
const has = (value: unknown, ...methods: readonly string[]) =>
  methods.every((name) => typeof (value as Record<string, unknown> | null | undefined)?.[name] === 'function')

const ARGUMENTS = {
  'a text': (value: unknown) => typeof value === 'string',
  'a path': (value: unknown) => typeof value === 'string' && value !== '' && !value.includes('\0'),
  'a number': (value: unknown) => typeof value === 'number' && Number.isFinite(value),
  'a number of ms, 0 or more': (value: unknown) => typeof value === 'number' && value >= 0,
  'true or false': (value: unknown) => typeof value === 'boolean',
  'a list': Array.isArray,
  'an object': (value: unknown) => typeof value === 'object' && value !== null,
  'a function': (value: unknown) => typeof value === 'function',
  'a function or an observer': (value: unknown) => typeof value === 'function' || has(value, 'next'),
  'a store': (value: unknown) => has(value, 'append', 'read', 'readAll', 'head', 'streams'),
  'a runner': (value: unknown) => has(value, 'start', 'recover'),
  'a clock': (value: unknown) => has(value, 'now', 'after'),
  'a logger': (value: unknown) => has(value, 'debug', 'info', 'warn', 'error'),
  'a tracer provider': (value: unknown) => has(value, 'getTracer'),
  'an AbortSignal': (value: unknown) => has(value, 'addEventListener', 'removeEventListener'),
  'a text or an archive': (value: unknown) =>
    typeof value === 'string' || typeof Object(Object(value).bytes)[Symbol.asyncIterator] === 'function',
} as const

/** Throws {@link InvalidInputError} for an argument that a program without types left out, or got wrong. */
export function checkArgument(what: string, value: unknown, kind: keyof typeof ARGUMENTS): void {
  if (ARGUMENTS[kind](value)) return
  // A text may be a secret.
  const shown = typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'it'
  const problem = value === undefined ? 'is missing' : 'is of another kind'
  throw new InvalidInputError({ what, problem: `${shown} ${problem}, and must be ${kind}` })
}

/** Every key of a type, and of what kind its value is, unless that is checked elsewhere: the compiler asks for new ones. */
export type KnownKeys<T> = Readonly<Record<keyof T, true | keyof typeof ARGUMENTS>>

/**
 * Throws {@link InvalidInputError} for a value of another kind, and for a key that is not known or whose value is of another
 * kind. A value that is undefined counts as absent. `noun` is what a key is called.
 */
export function refuseUnknownKeys<T extends object>(
  given: T,
  known: KnownKeys<T>,
  { what, noun }: { readonly what: string; readonly noun: string },
): void {
  checkArgument(what, given, 'an object')
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (Object.hasOwn(known, key)) {
      const kind = known[key as keyof T]
      if (kind !== true) checkArgument(key, value, kind)
      continue
    }
    throw new InvalidInputError({
      what,
      problem: `there is no ${noun} ${JSON.stringify(key.slice(0, 40))}`,
      hint: nameHint(key, Object.keys(known)),
    })
  }
}

/** The same for the options of a function. */
export const checkOptionsOf = <T extends object>(name: string, given: T, known: KnownKeys<T>): void =>
  refuseUnknownKeys(given, known, { what: `The options of ${name}`, noun: 'option' })
