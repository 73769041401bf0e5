/** An error as data, as a fact or the owner's socket carries it, and the error made from that data again. */
import { CLASS_NAME, ClaudeAgentError } from './base.ts'
import { type CallErrorDetails, CliCrashedError, callErrors, DiskFullError } from './call.ts'
import { TaskRejectedError } from './hold.ts'
import { isDiskFull } from './phrases.ts'

/** An error as a fact holds it. */
export interface ErrorData {
  readonly tag: string
  readonly message: string
  readonly hint: string
  readonly retryable: boolean
  readonly details: Readonly<Record<string, string | number>>
}

/** An error from a fact or from another process. `instanceof` takes it for one of the class that it had. */
export class RecordedError extends ClaudeAgentError<ErrorData['details']> {
  static readonly [CLASS_NAME]: string = 'RecordedError'
  readonly _tag: string
  constructor({ tag, details, ...text }: ErrorData) {
    super(details, text)
    this._tag = tag
  }
}

/** What an error of another program says may be of any length, and a fact may not. */
const LONGEST_TEXT = 16 * 1024
const MOST_DETAILS = 50

const cut = (text: string) => (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}...` : text)

/** The data of an error. Of its details, what is not text or a finite number stays behind, and long texts are cut. */
export function errorData({
  _tag: tag,
  summary: message,
  hint,
  retryable,
  details,
}: ClaudeAgentError): ErrorData {
  const plain: [string, string | number][] = []
  for (const [name, value] of Object.entries<unknown>({ ...details }).slice(0, MOST_DETAILS)) {
    if (typeof value === 'string') plain.push([name, cut(value)])
    else if (typeof value === 'number' && Number.isFinite(value)) plain.push([name, value])
  }
  return { tag, message: cut(message), hint: cut(hint), retryable, details: Object.fromEntries(plain) }
}

/** An error of a call as a fact holds it. An unexpected error counts as a crash of the call. */
export function callErrorData(error: unknown): ErrorData {
  if (error instanceof ClaudeAgentError) return errorData(error)
  const said = error instanceof Error ? error.message : String(error)
  return errorData(new CliCrashedError({ said }, { cause: error }))
}

/** The same of a call that was not sent, because something that it begins from could not be written or read. */
export function unsentErrorData(error: unknown): ErrorData {
  if (error instanceof ClaudeAgentError || !isDiskFull(error)) return callErrorData(error)
  return errorData(new DiskFullError({ said: (error as Error).message }, { cause: error }))
}

/** The error that a fact holds, to be thrown again, in the words that were recorded: a run may have passed them on. */
export function callErrorFrom(data: ErrorData): ClaudeAgentError {
  const { message: summary, hint } = data
  return Object.assign(instanceOf(data), { summary, hint, message: hint ? `${summary} ${hint}` : summary })
}

function instanceOf(data: ErrorData): ClaudeAgentError {
  if (data.tag === 'TaskRejectedError') return new TaskRejectedError(data.details as never)
  const known = callErrors[data.tag]
  return known ? new known(data.details as CallErrorDetails) : new RecordedError(data)
}
