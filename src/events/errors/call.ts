/** How a call can end without an answer. Each class is a row of the classification in `src/claude/classification.ts`. */
import { CLASS_NAME, ClaudeAgentError, type ErrorOptions, TAG } from './base.ts'
import type { TaggedError } from './builder.ts'
import { INSTALL_CLAUDE, LOG_IN, sentence } from './phrases.ts'

/** What an error of a call knows. Never contains a prompt, an environment value or an unredacted line of output. */
export interface CallErrorDetails {
  /** What the program or the service said, redacted and shortened. */
  readonly said?: string
  /** The HTTP status of the answer. */
  readonly status?: number
  /** How long to wait before the next request, in ms, if the service says so. */
  readonly retryAfterMs?: number
  /** Which limit of the account was reached, in the service's words: `five_hour`. */
  readonly window?: string
  /** When that limit resets. */
  readonly resetsAt?: string
}

/** The `claude` process, or the service behind it, gave no answer. The base of all errors of calls. */
export abstract class ClaudeExecutionError extends ClaudeAgentError<CallErrorDetails> {
  static readonly [CLASS_NAME]: string = 'ClaudeExecutionError'
}

/**
 * How often a task is retried after a failure: never, at most once, or as often as the agent's policy says.
 * `once` is for what may have been chance, and is not worth paying for a third time.
 */
export type Retries = 'none' | 'once' | 'backoff'

interface Row {
  readonly message: string
  readonly hint?: string
  readonly retries?: Retries
}

/** A class of errors of calls, and how often a task is retried after one. */
export interface CallErrorClass<Tag extends string = string> {
  new (
    details?: CallErrorDetails,
    options?: ErrorOptions,
  ): ClaudeExecutionError & TaggedError<Tag, CallErrorDetails>
  readonly retries: Retries
}

/* @__NO_SIDE_EFFECTS__ */
function callError<const Tag extends string>(tag: Tag, row: Row): CallErrorClass<Tag> {
  const { message, hint, retries = 'none' } = row
  return class extends ClaudeExecutionError {
    static readonly [TAG]: string = tag
    static readonly retries: Retries = retries
    readonly _tag = tag
    override readonly name: string = tag
    constructor(details: CallErrorDetails = {}, options?: ErrorOptions) {
      const text = sentence(details.said ? `${message}: ${details.said}` : message)
      super(details, { message: text, hint, retryable: retries !== 'none' }, options)
    }
  }
}

const SHORTEN = 'Shorten the prompt, or start a new session chain: claude-agents agent reset ID'
const SETTING = (option: string, setting: string, inCode: string) =>
  `${option} of agent create, or ${setting} in the configuration file (in code: ${inCode} of createAgent or declareAgent)`
const AGAIN = `Ask again later, or let it be tried more often: ${SETTING('--retries N', 'agent_defaults.retry_attempts', 'retry.attempts')}.`

// Before anything is sent
export class BinaryNotFoundError extends callError('BinaryNotFoundError', {
  message: 'The claude command was not found',
  hint: `Install it: ${INSTALL_CLAUDE}. Or name its path: --claude PATH, or claude.path in the configuration file (in code: the option path of claudeCli).`,
}) {}
export class CliIncompatibleError extends callError('CliIncompatibleError', {
  message: 'This claude command is not compatible',
  hint: `Install a newer one: ${INSTALL_CLAUDE}`,
}) {}
export class WorkspaceMissingError extends callError('WorkspaceMissingError', {
  message: 'The working directory of the agent is missing',
  hint: 'It is created again for the next task.',
}) {}
export class StartupRefusedError extends callError('StartupRefusedError', {
  message: 'claude refused to start',
  hint: 'claude-agents --log-level debug shows how it was started.',
}) {}
/** What the agent's processes write has no room: nothing was sent. */
export class DiskFullError extends callError('DiskFullError', {
  message: 'The disk with the files of the agent is full',
  hint: 'Free some space there, then try again.',
  retries: 'backoff',
}) {}
export class InvalidInvocationError extends callError('InvalidInvocationError', {
  message: 'claude did not accept its arguments',
}) {}
export class McpSecretError extends callError('McpSecretError', {
  message: 'What an MCP server of the agent refers to is not there',
  hint: 'Set it for the process that has the store open, or change the server: claude-agents agent edit ID --mcp-config FILE',
}) {}
export class McpServerError extends callError('McpServerError', {
  message: 'An MCP server that the agent requires did not start',
  hint: 'claude-agents agent show ID names it. Without "required", the agent works without it.',
  retries: 'once',
}) {}
export class OutputSchemaError extends callError('OutputSchemaError', {
  message: 'The JSON Schema for the answer was not accepted',
  hint: 'Correct the schema: it must be valid, and contain all that it refers to.',
}) {}
export class PromptTooLargeError extends callError('PromptTooLargeError', {
  message: 'The prompt is too long',
  hint: SHORTEN,
}) {}

// Sessions
export class SessionNotFoundError extends callError('SessionNotFoundError', {
  message: 'The session to resume does not exist',
  hint: 'Its conversation is restored from the log. If that does not help, start a new session chain: claude-agents agent reset ID',
}) {}
export class SessionInUseError extends callError('SessionInUseError', {
  message: 'The session id is already in use',
  retries: 'once',
}) {}
export class InvalidSessionIdError extends callError('InvalidSessionIdError', {
  message: 'claude did not accept the session id',
}) {}

// Time, and our own limits
export class CallTimeoutError extends callError('CallTimeoutError', {
  message: 'The call exceeded its time limit',
  hint: `Ask for less, or raise its limit: ${SETTING('--timeout SECONDS', 'timeout', 'timeoutMs')}.`,
  retries: 'once',
}) {}
/** It printed nothing for so long that no more output is expected. */
export class CallStalledError extends callError('CallStalledError', {
  message: 'The call was stopped because it printed nothing for too long',
  hint: 'It is tried once more. Have its tools print something now and then (in code: or allow longer silences, limits.idleMs of claudeCli).',
  retries: 'once',
}) {}
export class CallCancelledError extends callError('CallCancelledError', {
  message: 'The call was cancelled',
}) {}
export class OutputTooLargeError extends callError('OutputTooLargeError', {
  message: 'The output of the call exceeded its limit',
}) {}

// The account
export class AuthenticationError extends callError('AuthenticationError', {
  message: 'claude is not logged in, or its login was rejected',
  hint: LOG_IN,
}) {}
export class BillingError extends callError('BillingError', {
  message: 'The account cannot pay for the call',
  hint: 'Add credit or raise the limit, then: claude-agents account resume',
}) {}
export class RateLimitedError extends callError('RateLimitedError', {
  message: 'The service is limiting the rate of requests',
  hint: AGAIN,
  retries: 'backoff',
}) {}

// The service
export class OverloadedError extends callError('OverloadedError', {
  message: 'The service is overloaded',
  hint: AGAIN,
  retries: 'backoff',
}) {}
export class ApiUnavailableError extends callError('ApiUnavailableError', {
  message: 'The service did not answer',
  hint: AGAIN,
  retries: 'backoff',
}) {}
export class BadUpstreamError extends callError('BadUpstreamError', {
  message: 'The answer of the service cannot be read',
  hint: AGAIN,
  retries: 'backoff',
}) {}
export class InvalidRequestError extends callError('InvalidRequestError', {
  message: 'The service rejected the request',
  hint: 'If something in the conversation is the cause, start a new one: claude-agents agent reset ID',
}) {}
export class ModelNotFoundError extends callError('ModelNotFoundError', {
  message: 'The service does not know the model',
  hint: `Choose another: ${SETTING('--model NAME', 'model', 'model')}.`,
}) {}

// The model
export class MaxTurnsError extends callError('MaxTurnsError', {
  message: 'The model used all of its turns without giving an answer',
  hint: `Allow more: ${SETTING('--max-turns N', 'max_turns', 'maxTurns')}.`,
}) {}
export class BudgetExceededError extends callError('BudgetExceededError', {
  message: 'The call reached its budget',
}) {}
export class StructuredOutputError extends callError('StructuredOutputError', {
  message: 'The model did not answer in the required format',
  retries: 'once',
}) {}
export class RefusedError extends callError('RefusedError', { message: 'The model refused to answer' }) {}
export class OutputTooLongError extends callError('OutputTooLongError', {
  message: "The answer exceeded the model's output limit",
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
  message: 'claude exited without an answer',
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
/** What was printed is not valid JSON. */
export class JSONParseError extends callError('JSONParseError', {
  message: 'The output of claude could not be parsed',
  retries: 'once',
}) {}
/** A custom runner gave a result without a text. */
export class InvalidResultError extends callError('InvalidResultError', {
  message: 'The runner gave a result that is not valid',
  hint: 'Correct the runner: a result has the fields of CallResult.',
}) {}
/** Something that a task needed has failed for good, such as a fact that the store refuses. */
export class TaskBrokenError extends callError('TaskBrokenError', {
  message: 'The task could not be carried through',
  hint: 'Check the log (claude-agents log verify), then ask again. If an answer was paid for: claude-agents late-answers',
}) {}
/** After a crash: the prompt was sent, and it is unknown whether it was answered. */
export class OutcomeUnknownError extends callError('OutcomeUnknownError', {
  message: 'This process was killed during the call, and no answer was recorded',
  retries: 'backoff',
}) {}

/** All of them, by tag: an error that went through the log comes back as what it was. */
export const callErrors: Readonly<Record<string, CallErrorClass>> = {
  BinaryNotFoundError,
  CliIncompatibleError,
  WorkspaceMissingError,
  StartupRefusedError,
  DiskFullError,
  InvalidInvocationError,
  McpSecretError,
  McpServerError,
  OutputSchemaError,
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
  InvalidResultError,
  TaskBrokenError,
  OutcomeUnknownError,
}
