/** Why a call failed: an ordered table of evidence and errors. The first row that fits decides. */
import { instant } from '../clock.ts'
import {
  ApiUnavailableError,
  AuthenticationError,
  BadUpstreamError,
  BillingError,
  BinaryNotFoundError,
  BudgetExceededError,
  CallCancelledError,
  type CallErrorClass,
  type CallErrorDetails,
  CallTimeoutError,
  type ClaudeExecutionError,
  CliCrashedError,
  CliIncompatibleError,
  InterruptedError,
  InvalidInvocationError,
  InvalidRequestError,
  InvalidSessionIdError,
  JSONParseError,
  MaxTurnsError,
  ModelNotFoundError,
  NoResultError,
  OutputSchemaError,
  OutputTooLongError,
  OverloadedError,
  ProcessKilledError,
  PromptTooLargeError,
  RateLimitedError,
  RefusedError,
  SessionInUseError,
  SessionNotFoundError,
  StartupRefusedError,
  StructuredOutputError,
  WorkspaceMissingError,
} from '../events/errors/call.ts'
import { defined } from '../events/json.ts'
import { oneLine, type Redact } from '../events/secrets/redaction.ts'
import type { AccountWindow } from './runner.ts'
import { limitOf, resetIn } from './stream/account-limit.ts'
import type { StreamFacts } from './stream/parser.ts'
import { listAt, numberAt, stringAt, type UntrustedRecord } from './stream/untrusted-json.ts'

/** The fields that say how the call ended. */
export interface ResultEnding {
  readonly subtype: string
  readonly isError: boolean
  /** The beginning of the answer, or of the text of an error; null in records of type error_*. */
  readonly text: string | null
  readonly errors: readonly string[]
  readonly status: number | null
  readonly stopReason: string | null
  readonly terminalReason: string | null
  readonly startupFailure: string | null
  readonly hasStructuredOutput: boolean
}

/** What an error says stands at its beginning. */
const LONGEST_ERROR = 4096
const MOST_ERRORS = 10

export function endingOf(result: UntrustedRecord): ResultEnding {
  return {
    subtype: stringAt(result, 'subtype') ?? '',
    isError: result.is_error === true,
    text: stringAt(result, 'result')?.slice(0, LONGEST_ERROR) ?? null,
    errors: listAt(result, 'errors')
      .slice(0, MOST_ERRORS)
      .flatMap((error) => (typeof error === 'string' ? [error.slice(0, LONGEST_ERROR)] : [])),
    status: numberAt(result, 'api_error_status'),
    stopReason: stringAt(result, 'stop_reason'),
    terminalReason: stringAt(result, 'terminal_reason'),
    startupFailure: stringAt(result, 'startup_failure_reason'),
    hasStructuredOutput: result.structured_output !== undefined,
  }
}

/** `subtype: "success"` alone means nothing: errors of the service carry it too. */
export const isAnswer = (ending: ResultEnding): boolean =>
  ending.subtype === 'success' && !ending.isError && ending.text !== null

/** Everything known about a call that has ended. */
export interface Evidence {
  /** The error code if the process could not be spawned. */
  readonly spawnError: string | null
  readonly workspaceExists: boolean
  /** Why we stopped it, if we did. */
  readonly stopped: 'timeout' | 'cancelled' | null
  readonly exitCode: number | null
  readonly signal: string | null
  /** The tail of stderr. */
  readonly stderr: string
  readonly ending: ResultEnding | null
  readonly assistantError: string | null
  /** The last line of the output is not valid JSON. */
  readonly endsUnreadable: boolean
  /** Where it could not write, because the disk is full. */
  readonly fullDisk?: string | undefined
  /** The last message was streamed and has no end. */
  readonly endsOpen?: boolean
  /** The call asked for structured output. */
  readonly structuredOutputRequested: boolean
  /** What was said about the windows of the account. */
  readonly windows?: readonly AccountWindow[]
  /** When the call ended, in ms since the epoch: an error may tell only a time of day. */
  readonly saidAt?: number | undefined
}

export interface ClassificationRow {
  readonly error: CallErrorClass
  /**
   * Also tried on a call that was answered. Other rows are not: an answer's text comes from the model and proves
   * nothing.
   */
  readonly alsoOnAnswers?: true
  readonly fits: (evidence: Evidence) => boolean
}

const mentions = (pattern: RegExp) => (evidence: Evidence) => pattern.test(errorTextOf(evidence))
const subtype = (name: string) => (evidence: Evidence) => evidence.ending?.subtype === name
const modelError = (name: string) => (evidence: Evidence) => evidence.assistantError === name
const status =
  (...codes: number[]) =>
  (evidence: Evidence) =>
    codes.includes(evidence.ending?.status ?? 0)
const terminal =
  (...reasons: string[]) =>
  (evidence: Evidence) =>
    reasons.includes(evidence.ending?.terminalReason ?? '')
const any =
  (...tests: ((evidence: Evidence) => boolean)[]) =>
  (evidence: Evidence) =>
    tests.some((test) => test(evidence))
const both =
  (...tests: ((evidence: Evidence) => boolean)[]) =>
  (evidence: Evidence) =>
    tests.every((test) => test(evidence))

/** Measured on 2.1.197 and 2.1.330. The order matters: stronger evidence comes first. */
export const CLASSIFICATION: readonly ClassificationRow[] = [
  { error: BinaryNotFoundError, fits: (e) => e.spawnError === 'ENOENT' && e.workspaceExists },
  { error: WorkspaceMissingError, fits: (e) => e.spawnError === 'ENOENT' },
  { error: InvalidInvocationError, fits: (e) => e.spawnError === 'E2BIG' },
  { error: StartupRefusedError, fits: (e) => e.spawnError !== null },
  { error: CallTimeoutError, fits: (e) => e.stopped === 'timeout' },
  { error: CallCancelledError, fits: (e) => e.stopped === 'cancelled' },
  { error: CliIncompatibleError, fits: mentions(/^error: unknown option/m) },
  {
    error: SessionNotFoundError,
    fits: mentions(/No conversation found with session ID|No deferred tool marker found/),
  },
  { error: SessionInUseError, fits: mentions(/Session ID .{0,200} is already in use/) },
  {
    error: InvalidSessionIdError,
    fits: mentions(/requires a valid session ID or session title|Invalid session ID\. Must be a valid UUID/),
  },
  {
    error: StartupRefusedError,
    fits: any(
      (e) => Boolean(e.ending?.startupFailure),
      both(
        (e) => e.ending === null,
        mentions(/cannot be used with root|sandbox required but unavailable|could not start/),
      ),
    ),
  },
  {
    error: PromptTooLargeError,
    fits: any(
      mentions(/piped stdin input exceeds|^Prompt is too long/m),
      terminal('blocking_limit', 'prompt_too_long'),
      status(413),
    ),
  },
  // The first as a flag, the second as a schema.
  { error: OutputSchemaError, fits: mentions(/--json-schema is not (valid JSON|a valid JSON Schema)/) },
  {
    error: InvalidInvocationError,
    fits: mentions(
      /Input must be provided either through stdin|Input contained only whitespace|Settings file not found|Invalid MCP configuration/,
    ),
  },
  { error: MaxTurnsError, fits: subtype('error_max_turns') },
  { error: BudgetExceededError, fits: subtype('error_max_budget_usd') },
  {
    error: StructuredOutputError,
    alsoOnAnswers: true,
    fits: ({ ending, structuredOutputRequested }) =>
      ending?.subtype === 'error_max_structured_output_retries' ||
      (structuredOutputRequested &&
        ending?.subtype === 'success' &&
        !ending.isError &&
        !ending.hasStructuredOutput),
  },
  { error: InterruptedError, fits: terminal('aborted_streaming', 'aborted_tools') },
  {
    error: AuthenticationError,
    fits: any(modelError('authentication_failed'), status(401, 403), mentions(/Not logged in/)),
  },
  {
    error: BillingError,
    fits: any(
      modelError('billing_error'),
      status(402),
      // A limit that resets by itself is one to wait for.
      both(
        mentions(
          /Credit balance is too low|\bspend(?:ing)? limit\b|\bout of (?:usage )?credits\b|\bout of extra usage\b/i,
        ),
        (e) => resetIn(errorTextOf(e), e.saidAt ?? 0) === null,
      ),
    ),
  },
  {
    error: RateLimitedError,
    fits: any(
      modelError('rate_limit'),
      status(429),
      mentions(/^You['’]ve (?:hit|reached) your|usage limit reached|\bout of extra usage\b/im),
    ),
  },
  { error: OverloadedError, fits: any(status(529), mentions(/Repeated 529/), modelError('overloaded')) },
  {
    error: ApiUnavailableError,
    fits: any(
      (e) => (e.ending?.status ?? 0) >= 500,
      both(
        (e) => e.ending?.status === null,
        modelError('server_error'),
        (e) => !isUnreadable(e),
      ),
    ),
  },
  { error: ModelNotFoundError, fits: any(modelError('model_not_found'), status(404)) },
  { error: RefusedError, alsoOnAnswers: true, fits: (e) => e.ending?.stopReason === 'refusal' },
  { error: OutputTooLongError, alsoOnAnswers: true, fits: modelError('max_output_tokens') },
  { error: BadUpstreamError, fits: (e) => isUnreadable(e) },
  // 2.1.197 takes a stream that ends in the middle of a message for an answer.
  {
    error: BadUpstreamError,
    alsoOnAnswers: true,
    fits: (e) => e.endsOpen === true && e.ending?.stopReason === null && isAnswer(e.ending),
  },
  { error: InvalidRequestError, fits: status(400) },
  { error: ProcessKilledError, fits: (e) => e.signal !== null || e.exitCode === 143 || e.exitCode === 137 },
  { error: JSONParseError, fits: (e) => e.ending === null && e.endsUnreadable && e.exitCode === 0 },
  { error: NoResultError, fits: (e) => e.ending === null && e.exitCode === 0 },
  { error: CliCrashedError, fits: () => true },
]

const isUnreadable = mentions(
  /malformed response|JSON Parse error|Unexpected end of JSON|Failed to parse JSON|Stream idle timeout|\[ede_diagnostic\]/,
)

/** The error of a call; null if it was answered. */
export function classify(evidence: Evidence, redact: Redact): ClaudeExecutionError | null {
  const answered = evidence.spawnError === null && evidence.ending !== null && isAnswer(evidence.ending)
  const row = CLASSIFICATION.find(
    (candidate) => (!answered || candidate.alsoOnAnswers) && candidate.fits(evidence),
  )
  if (!row) return null
  const text = answered ? '' : errorTextOf(evidence)
  return new row.error(
    defined({
      said: oneLine(redact(text)) || undefined,
      status: evidence.ending?.status || undefined,
      ...(row.error === RateLimitedError ? endOfLimit(evidence, text) : {}),
    }),
  )
}

function endOfLimit({ windows = [], saidAt }: Evidence, text: string): CallErrorDetails {
  const limit = limitOf(windows, saidAt === undefined ? '' : text, saidAt ?? 0)
  return limit === null ? {} : { window: limit.window, resetsAt: instant(limit.resetsAt) }
}

/** Patterns are tried on no more. */
const LONGEST_STDERR = 16 * 1024

/** The error text: that of the result if there is one, otherwise stderr, otherwise how the process exited. */
function errorTextOf({ ending, stderr, fullDisk, spawnError, exitCode, signal }: Evidence): string {
  if (ending) {
    const reported = [ending.startupFailure, ...ending.errors, ending.isError ? ending.text : null]
      .filter(Boolean)
      .join('; ')
    if (reported !== '') return reported
  }
  const printed = stderr.slice(0, LONGEST_STDERR).trim()
  if (printed !== '') return printed
  if (fullDisk !== undefined) return `the disk is full: ${fullDisk}`
  return spawnError ?? signal ?? (exitCode ? `exit code ${exitCode}` : '')
}

/**
 * The error of a call to give up on; null to let the CLI retry.
 *
 * The CLI resends a rejected request by itself, up to CLAUDE_CODE_MAX_RETRIES times. In the middle of a call that is
 * right, since the work so far would be lost. Before the model has said anything:
 *
 * - A rejected key will be rejected again (measured: 3 requests). A stored login is left to the CLI, which renews it.
 * - A rate-limited or overloaded account is ours to wait for: durably, without a waiting process, and without using
 *   up the task's time.
 */
export function hopeless(
  { retry, answered, windows }: Pick<StreamFacts, 'retry' | 'answered' | 'windows'>,
  isLoginFixed: boolean,
): ClaudeExecutionError | null {
  if (retry === null || answered) return null
  const { status, retryAfterMs, problem } = retry
  const details = defined({ said: problem, status, retryAfterMs })
  const limit = limitOf(windows, '', 0)
  const end = limit === null ? {} : { window: limit.window, resetsAt: instant(limit.resetsAt) }
  if (status === 429) return new RateLimitedError({ ...details, ...end })
  if (status === 529) return new OverloadedError(details)
  if (isLoginFixed && (status === 401 || status === 403)) return new AuthenticationError(details)
  return null
}
