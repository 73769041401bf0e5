/** How a call can end other than well. Each class is a row of the classification in `src/claude/classification.ts`. */
import { ClaudeAgentError, type ErrorData, type ErrorOptions } from './base.ts'
import { TaskRejectedError } from './hold.ts'

/** What an error of a call knows. Never holds a prompt, an environment value or an unredacted line of output. */
export interface CallErrorDetails {
  /** What the program or the service said, redacted and shortened. */
  readonly said?: string
  /** The HTTP status that the service answered with. */
  readonly status?: number
  /** How long the service asks us to stay away, in ms, where it says so. */
  readonly retryAfterMs?: number
}

/** The `claude` process, or the service behind it, did not give an answer. The base of all errors of calls. */
export abstract class ClaudeExecutionError extends ClaudeAgentError<CallErrorDetails> {}

/**
 * How often a task is tried again after a failure: never, once at the most, or as often as the agent's policy says.
 * `once` is for what may have been chance, and is not worth paying for a third time.
 */
export type Retries = 'none' | 'once' | 'backoff'

interface Row {
  readonly message: string
  readonly hint?: string
  readonly retries?: Retries
}

function callError<Tag extends string>(tag: Tag, row: Row) {
  const { retries = 'none' } = row
  return class extends ClaudeExecutionError {
    static readonly retries: Retries = retries
    readonly _tag = tag
    override readonly retryable = retries !== 'none'
    constructor(details: CallErrorDetails = {}, options?: ErrorOptions) {
      const said = details.said ? `: ${details.said}` : ''
      super(
        details,
        { message: `${row.message}${said}.`.replace(/\.\.$/, '.'), ...(row.hint ? { hint: row.hint } : {}) },
        options,
      )
    }
  }
}

const INSTALL = 'Install it: npm install -g @anthropic-ai/claude-code'
const LOGIN = 'Log in (claude, then /login), or set ANTHROPIC_API_KEY.'
const WAIT = 'It is tried again after a while.'
const SHORTEN = 'Shorten the prompt, or begin a new session chain (claude-agents agent reset).'

// Before anything is sent
export class BinaryNotFoundError extends callError('BinaryNotFoundError', {
  message: 'The claude command was not found',
  hint: `${INSTALL}, or name it with --claude PATH.`,
}) {}
export class CliIncompatibleError extends callError('CliIncompatibleError', {
  message: 'This claude command is not compatible',
  hint: `${INSTALL}@latest`,
}) {}
export class WorkspaceMissingError extends callError('WorkspaceMissingError', {
  message: 'The working directory of the agent is missing',
  hint: 'It is made anew with the next task.',
}) {}
export class StartupRefusedError extends callError('StartupRefusedError', {
  message: 'claude refused to start',
  hint: 'claude-agents --log-level debug shows how it was started.',
}) {}
export class InvalidInvocationError extends callError('InvalidInvocationError', {
  message: 'claude did not accept how it was called',
}) {}
export class PromptTooLargeError extends callError('PromptTooLargeError', {
  message: 'The prompt is too long',
  hint: SHORTEN,
}) {}
// Sessions
export class SessionNotFoundError extends callError('SessionNotFoundError', {
  message: 'The session to continue does not exist',
  hint: 'What was said in it is taken from the log. Where that does not help, begin a new session chain: claude-agents agent reset',
}) {}
export class SessionInUseError extends callError('SessionInUseError', {
  message: 'The session id is in use already',
  retries: 'once',
}) {}
export class InvalidSessionIdError extends callError('InvalidSessionIdError', {
  message: 'claude did not accept the session id',
}) {}
// Time, and our own limits
export class CallTimeoutError extends callError('CallTimeoutError', {
  message: 'The call took longer than it may take',
  hint: 'Allow more time (--timeout), or ask for less.',
  retries: 'once',
}) {}
/** It printed nothing for so long that nothing more is to be expected. */
export class CallStalledError extends callError('CallStalledError', {
  message: 'The call was given up, as nothing more came from it',
  hint: 'Allow longer silences where tools need them (idleMs).',
  retries: 'once',
}) {}
export class CallCancelledError extends callError('CallCancelledError', {
  message: 'The call was cancelled',
}) {}
export class OutputTooLargeError extends callError('OutputTooLargeError', {
  message: 'The call printed more than the limit',
}) {}
// The account
export class AuthenticationError extends callError('AuthenticationError', {
  message: 'claude is not logged in, or the login was refused',
  hint: LOGIN,
}) {}
export class BillingError extends callError('BillingError', {
  message: 'The account cannot pay for the call',
  hint: 'Look at the plan and the credit of the account.',
}) {}
export class RateLimitedError extends callError('RateLimitedError', {
  message: 'The service limits the rate of requests',
  hint: WAIT,
  retries: 'backoff',
}) {}
// The service
export class OverloadedError extends callError('OverloadedError', {
  message: 'The service is overloaded',
  hint: WAIT,
  retries: 'backoff',
}) {}
export class ApiUnavailableError extends callError('ApiUnavailableError', {
  message: 'The service did not answer',
  hint: WAIT,
  retries: 'backoff',
}) {}
export class BadUpstreamError extends callError('BadUpstreamError', {
  message: 'The service answered with something unreadable',
  hint: WAIT,
  retries: 'backoff',
}) {}
export class InvalidRequestError extends callError('InvalidRequestError', {
  message: 'The service refused the request',
}) {}
export class ModelNotFoundError extends callError('ModelNotFoundError', {
  message: 'The service does not know the model',
  hint: 'Choose another with --model.',
}) {}
// The model
export class MaxTurnsError extends callError('MaxTurnsError', {
  message: 'The model used all of its turns without an answer',
  hint: 'Allow more with --max-turns.',
}) {}
export class BudgetExceededError extends callError('BudgetExceededError', {
  message: 'The call reached its budget',
}) {}
export class StructuredOutputError extends callError('StructuredOutputError', {
  message: 'The model did not answer in the form it was asked for',
  retries: 'once',
}) {}
export class RefusedError extends callError('RefusedError', { message: 'The model refused to answer' }) {}
export class OutputTooLongError extends callError('OutputTooLongError', {
  message: 'The answer was longer than the model can give',
}) {}
// The process
export class InterruptedError extends callError('InterruptedError', {
  message: 'The call was interrupted',
  retries: 'backoff',
}) {}
export class ProcessKilledError extends callError('ProcessKilledError', {
  message: 'The claude process was killed',
  retries: 'once',
}) {}
export class NoResultError extends callError('NoResultError', {
  message: 'claude ended without an answer',
  retries: 'once',
}) {}
export class CliCrashedError extends callError('CliCrashedError', {
  message: 'claude failed',
  retries: 'once',
}) {}
/** A program other than claude did not give an answer. */
export class CommandFailedError extends callError('CommandFailedError', {
  message: 'The command failed',
  retries: 'once',
}) {}
/** What was printed cannot be read as what it should be. */
export class JSONParseError extends callError('JSONParseError', {
  message: 'The output of claude could not be parsed',
  retries: 'once',
}) {}
/** After a crash: the prompt was sent, and whether it was answered cannot be known. */
export class OutcomeUnknownError extends callError('OutcomeUnknownError', {
  message: 'This process was killed during the call, and no answer was kept',
  retries: 'backoff',
}) {}

export interface CallErrorClass {
  new (details?: CallErrorDetails, options?: ErrorOptions): ClaudeExecutionError
  readonly retries: Retries
}

/** All of them, by tag: an error that went through the log comes back as what it was. */
export const callErrors: Readonly<Record<string, CallErrorClass>> = {
  BinaryNotFoundError,
  CliIncompatibleError,
  WorkspaceMissingError,
  StartupRefusedError,
  InvalidInvocationError,
  PromptTooLargeError,
  SessionNotFoundError,
  SessionInUseError,
  InvalidSessionIdError,
  CallTimeoutError,
  CallStalledError,
  CallCancelledError,
  OutputTooLargeError,
  AuthenticationError,
  BillingError,
  RateLimitedError,
  OverloadedError,
  ApiUnavailableError,
  BadUpstreamError,
  InvalidRequestError,
  ModelNotFoundError,
  MaxTurnsError,
  BudgetExceededError,
  StructuredOutputError,
  RefusedError,
  OutputTooLongError,
  InterruptedError,
  ProcessKilledError,
  NoResultError,
  CliCrashedError,
  CommandFailedError,
  JSONParseError,
  OutcomeUnknownError,
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
