/** The base of every error that this package throws on purpose. */

export interface ErrorText {
  /** What happened, to what. One or more whole sentences. */
  readonly message: string
  /** What the reader can do now. */
  readonly hint?: string | undefined
  /** Whether the same thing may well work when it is tried again. Default: false. */
  readonly retryable?: boolean
}

export interface ErrorOptions {
  readonly cause?: unknown
}

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

/** What a program prints of any error: the shape of `--json` errors. */
export function describeError(error: unknown): { code: string; message: string; hint: string } {
  if (error instanceof ClaudeAgentError) return { code: error._tag, message: error.summary, hint: error.hint }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'UnexpectedError', message, hint: '' }
}
