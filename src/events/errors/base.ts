/** The base of every error that this package throws on purpose. */

/** What an error says: what happened, and what to do next. */
export interface ErrorText {
  /** What happened, to what. One or more whole sentences. */
  readonly message: string
  /** What the reader can do now. */
  readonly hint?: string | undefined
  /** Whether the same thing may well work when it is tried again. Default: false. */
  readonly retryable?: boolean
}

/** What led to an error. */
export interface ErrorOptions {
  readonly cause?: unknown
}

/** Where an error names its classes, in every copy of this package. */
const CLASSES = Symbol.for('claude-multi-agent/error-classes')

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

  static {
    Object.defineProperty(this.prototype, CLASSES, { get: classesOf })
  }

  /** An error of another copy of this package counts as well: a module that the command loads imports one of its own. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    const classes = Object(value)[CLASSES] as readonly string[] | undefined
    return classes?.includes(this.name) ?? false
  }
}

function classesOf(this: object): string[] {
  const names: string[] = []
  for (let of = this.constructor; of !== Error; of = Object.getPrototypeOf(of)) names.push(of.name)
  return names
}

/** What a program prints of any error: the shape of `--json` errors. */
export function describeError(error: unknown): { code: string; message: string; hint: string } {
  if (error instanceof ClaudeAgentError) return { code: error._tag, message: error.summary, hint: error.hint }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'UnexpectedError', message, hint: '' }
}
