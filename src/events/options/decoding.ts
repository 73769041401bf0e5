/** Decodes what somebody wrote, in code or in a file, and says what is wrong with it in the project's own words. */
import * as Schema from 'effect/Schema'
import * as SchemaAST from 'effect/SchemaAST'
import * as SchemaIssue from 'effect/SchemaIssue'
import { InvalidInputError } from '../errors/usage.ts'
import { nameHint } from '../nearest-name.ts'

/** From the root of a value to one of its parts: keys and indices. */
export type ValuePath = readonly PropertyKey[]

/** What a schema may say of its values, beside its type. The first two are read in code, and in files where nothing else fits. */
export interface ValueAnnotations {
  /** What a wrong value is, as a phrase that goes on after it: `is not a number from 0 to 1`. */
  readonly problem?: string
  /** What to write instead. */
  readonly hint?: string
  /** What its keys are called in "there is no ... of this name". */
  readonly noun?: string
  /** All that is to be said of a wrong value, in place of what is wrong with each form that it may have. */
  readonly message?: string
  /** What the value itself is called, where that is not its key. */
  readonly title?: string
  /** What the value is for, as a phrase that goes on after its name. */
  readonly means?: string
  readonly default?: unknown
}

/** One thing that is wrong with a value. */
export interface Mistake {
  readonly path: ValuePath
  /** `unknown`: there is no such key. `missing`: the key at the end of the path is not there. `value`: it stands for something else. */
  readonly kind: 'unknown' | 'missing' | 'value'
  /** What stands there. */
  readonly given: unknown
  /** What effect says was expected; empty where a union has a problem of its own. */
  readonly expected: string
  readonly annotations: ValueAnnotations
  /** The keys that may stand where an unknown one does. */
  readonly known: readonly string[]
}

/** What a schema decodes to without any services. */
export type Decodable<T = unknown> = Schema.Codec<T, unknown>

/** The value, or whatever `refuse` throws for all that is wrong with it. */
export function decoded<T>(
  schema: Decodable<T>,
  given: unknown,
  refuse: (mistakes: readonly [Mistake, ...Mistake[]]) => never,
): T {
  const defined = withoutUndefined(given)
  try {
    return Schema.decodeUnknownSync(schema, { errors: 'all', onExcessProperty: 'error' })(defined)
  } catch (cause) {
    if (!Schema.isSchemaError(cause)) throw cause
    const [first, ...others] = mistakesIn(cause.issue, defined)
    if (!first) throw cause
    return refuse([first, ...others])
  }
}

/** What an argument is called in an error. */
export interface InputName {
  readonly name: string
  /** Whether its parts are called after it as well: `limits.mailbox`, as opposed to `timeoutMs`. */
  readonly prefixes?: boolean
  /** What an unknown key has led to. */
  readonly outcome?: string
}

/** An argument of a function. Throws {@link InvalidInputError} for the first thing that is wrong. */
export function decodedInput<T>(schema: Decodable<T>, given: unknown, whole: InputName): T {
  return decoded(schema, given, ([mistake]) => {
    const { name, prefixes = false, outcome } = whole
    const { kind, path, annotations } = mistake
    const place = pathName(kind === 'value' ? path : path.slice(0, -1), prefixes ? name : '') || name
    const { problem, hint } = problemOf(mistake)
    throw new InvalidInputError({
      what: kind === 'value' ? (annotations.title ?? place) : place,
      problem: kind === 'unknown' && outcome !== undefined ? `${problem}. ${outcome}` : problem,
      ...(hint === undefined ? {} : { hint }),
    })
  })
}

/** What is wrong, and what to write instead, as code is told. */
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
  return { problem: said, ...(hint === undefined ? {} : { hint }) }
}

/** A value as it was written; `it` where that would say nothing, or too much. */
export function named(given: unknown): string {
  if (typeof given === 'string' && given.trim() === '') return 'it'
  const shown = typeof given === 'number' ? String(given) : JSON.stringify(given)
  return shown === undefined || typeof given === 'object' || shown.length > 60 ? 'it' : shown
}

/** `agents[0].id`; `start` is what the value as a whole is called. */
export function pathName(path: ValuePath, start = ''): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    return text === '' ? String(part) : `${text}.${String(part)}`
  }, start)
}

/** All that an issue says, once for each place, in the order of the schema. */
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

/** `schema` is that of the value at this path. */
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
    given: valueAt(root, path),
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
      const said = annotationsOf(issue.ast)
      if (issue.issues.length === 0) return [mistake('value', issue.ast, said)]
      // What is wrong with each of its forms helps nobody where the whole has a name.
      if (said.problem ?? said.message) return [{ ...mistake('value', issue.ast, said), expected: '' }]
      return inner(issue.issues)
    }
    case 'UnexpectedKey':
      return [mistake('unknown', issue.ast, annotationsOf(issue.ast))]
    case 'MissingKey':
      return [mistake('missing', undefined, (issue.annotations ?? {}) as ValueAnnotations)]
    case 'Filter': {
      const { message: problem } = (issue.issue as SchemaIssue.InvalidValue).annotations ?? {}
      const own = { ...(issue.filter.annotations as ValueAnnotations), ...(problem ? { problem } : {}) }
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

/** What a schema says of its values; what is wrong with others follows from its type where it does not say. */
export function annotationsOf(ast: SchemaAST.AST): ValueAnnotations {
  const said = SchemaAST.resolve(ast) as ValueAnnotations | undefined
  if (said?.problem !== undefined) return said
  const literals = SchemaAST.isUnion(ast) && ast.types.every(SchemaAST.isLiteral) ? ast.types : undefined
  const problem = literals
    ? `is not one of ${literals.map((one) => (one as SchemaAST.Literal).literal).join(', ')}`
    : PROBLEMS[ast._tag]
  return problem === undefined ? { ...said } : { problem, ...said }
}

const keysOf = ({ propertySignatures }: SchemaAST.Objects): readonly string[] =>
  propertySignatures.map(({ name }) => String(name))

const valueAt = (root: unknown, path: ValuePath): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : value,
    root,
  )

/** What is undefined is as good as absent. Only plain objects and lists are looked into. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined)
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, part]) =>
      part === undefined ? [] : [[key, withoutUndefined(part)]],
    ),
  )
}
