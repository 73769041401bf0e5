/** The base of every error that this package throws on purpose. */

export interface ErrorText {
  /** What happened, to what. One or more whole sentences. */
  readonly message: string
  /** What the reader can do now. */
  readonly hint?: string
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
  /** The facts of the matter, for programs. */
  readonly details: Details
  /** Whether the same thing may well work when it is tried again. */
  readonly retryable: boolean = false

  constructor(details: Details, text: ErrorText, options: ErrorOptions = {}) {
    super(text.hint ? `${text.message} ${text.hint}` : text.message, options)
    this.name = new.target.name
    this.summary = text.message
    this.hint = text.hint ?? ''
    this.details = details
  }
}

/** What a program prints of any error: the shape of `--json` errors. */
export function describeError(error: unknown): { code: string; message: string; hint: string } {
  if (error instanceof ClaudeAgentError) return { code: error._tag, message: error.summary, hint: error.hint }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'UnexpectedError', message, hint: '' }
}
