/** An error as data: what a fact or the owner's socket holds of it, and the error made of that again. */
import { ClaudeAgentError } from './base.ts'
import { type CallErrorDetails, CliCrashedError, callErrors } from './call.ts'
import { TaskRejectedError } from './hold.ts'

/** An error as a fact holds it. */
export interface ErrorData {
  readonly tag: string
  readonly message: string
  readonly hint: string
  readonly retryable: boolean
  readonly details: Readonly<Record<string, string | number>>
}

/** An error that ended a task, other than of a call, as the log remembers it: its class is not known any more. */
export class RecordedError extends ClaudeAgentError<ErrorData['details']> {
  readonly _tag: string
  override readonly retryable: boolean
  constructor({ tag, message, hint, retryable, details }: ErrorData) {
    super(details, { message, hint })
    this._tag = tag
    this.retryable = retryable
  }
}

/** An error of a call as a fact holds it. What nobody has foreseen is a crash of the call. */
export function callErrorData(error: unknown): ErrorData {
  const known =
    error instanceof ClaudeAgentError
      ? error
      : new CliCrashedError(
          { said: error instanceof Error ? error.message : String(error) },
          { cause: error },
        )
  return {
    tag: known._tag,
    message: known.summary,
    hint: known.hint,
    retryable: known.retryable,
    details: recordable(known.details),
  }
}

/** The error that a fact holds, to be thrown again. */
export function callErrorFrom(data: ErrorData): ClaudeAgentError {
  if (data.tag === 'TaskRejectedError') return new TaskRejectedError(data.details as never)
  const known = callErrors[data.tag]
  return known ? new known(data.details as CallErrorDetails) : new RecordedError(data)
}

const recordable = (details: object): ErrorData['details'] =>
  Object.fromEntries(Object.entries(details).filter(([, value]) => /^(string|number)$/.test(typeof value)))
