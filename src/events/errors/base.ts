/** The base of every error that this package throws on purpose. */
import { systemFailure } from './phrases.ts'

/** What an error says: what happened, and what to do next. */
export interface ErrorText {
  /** What happened, to what. One or more whole sentences. */
  readonly message: string
  /** What the reader can do now. */
  readonly hint?: string | undefined
  /** Whether the same thing may well work when it is tried again. Default: false. */
  readonly retryable?: boolean | undefined
}

/** What led to an error. */
export interface ErrorOptions {
  readonly cause?: unknown
}

/** Where an error names its classes, in every copy of this package. */
const CLASSES = Symbol.for('claude-multi-agent/error-classes')

/** Where a base class has its name. Not `name`: a minifier gives one short name to several classes. */
export const CLASS_NAME = Symbol.for('claude-multi-agent/error-class')

/** Where a class that a builder made has the name of the one class that extends it, which is its tag. */
export const TAG = Symbol.for('claude-multi-agent/error-tag')

/** The base of all errors that this package throws on purpose. `_tag` tells them apart, also across processes. */
export abstract class ClaudeAgentError<Details extends object = object> extends Error {
  abstract readonly _tag: string
  /** What happened, without the hint. */
  readonly summary: string
  readonly hint: string
  /** What happened, as data for programs. */
  readonly details: Details
  /** Whether the same thing may well work when it is tried again. */
  readonly retryable: boolean

  constructor(details: Details, { message, hint, retryable = false }: ErrorText, options: ErrorOptions = {}) {
    super(hint ? `${message} ${hint}` : message, options)
    this.name = new.target.name
    this.summary = message
    this.hint = hint ?? ''
    this.details = details
    this.retryable = retryable
  }
}

Object.defineProperty(ClaudeAgentError.prototype, CLASSES, { get: classesOf })
Object.defineProperty(ClaudeAgentError, Symbol.hasInstance, { value: isInstance })
Object.defineProperty(ClaudeAgentError, CLASS_NAME, { value: 'ClaudeAgentError' })

/** The name of a class of this package; undefined for one that a program derives from it. */
function nameOf(of: object): string | undefined {
  const own = (owner: object | null, key: symbol): string | undefined =>
    owner !== null && Object.hasOwn(owner, key) ? (owner as Record<symbol, string>)[key] : undefined
  return own(of, CLASS_NAME) ?? own(of, TAG) ?? own(Object.getPrototypeOf(of), TAG)
}

/** The names of an error's classes, up to the base; of a recorded one, that of the class that it had. */
function classesOf(this: ClaudeAgentError): string[] {
  const names = new Set<string>([this._tag])
  for (let of: object = this.constructor; of !== Error; of = Object.getPrototypeOf(of)) {
    const name = nameOf(of)
    if (name !== undefined) names.add(name)
  }
  return [...names]
}

/**
 * What `instanceof` says: also true for an error of another copy of this package, such as a loaded module imports, and for
 * one that came from another process or from a fact.
 */
function isInstance(this: object, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(this as never, value)) return true
  const name = nameOf(this)
  const classes: readonly string[] | undefined = Object(value)[CLASSES]
  return name !== undefined && (classes?.includes(name) ?? false)
}

/** What a program prints of any error: the shape of `--json` errors. */
export function describeError(error: unknown): { code: string; message: string; hint: string } {
  if (error instanceof ClaudeAgentError) return { code: error._tag, message: error.summary, hint: error.hint }
  const known = systemFailure(error)
  if (known !== null) {
    const { path, problem, hint = '' } = known
    const message =
      path === undefined ? `${problem[0]?.toUpperCase()}${problem.slice(1)}` : `${path}: ${problem}`
    return { code: 'SystemError', message: `${message}.`, hint }
  }
  const said = error instanceof Error ? error.message : String(error)
  return {
    code: 'UnexpectedError',
    message: `Something went wrong that should not have: ${said}`,
    hint: 'Nothing that was recorded is lost. If it happens again, report it with the command and this message.',
  }
}
