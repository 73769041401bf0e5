/** Why a call gave no answer: an ordered table of signs and errors. The first row that fits decides. */
import {
  ApiUnavailableError,
  AuthenticationError,
  BadUpstreamError,
  BillingError,
  BinaryNotFoundError,
  BudgetExceededError,
  CallCancelledError,
  type CallErrorClass,
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
import { oneLine, type Redact } from '../events/redaction.ts'
import { isAnswer, type ResultEnding } from './stream/result-record.ts'

/** All that is known of a call that has ended. */
export interface Evidence {
  /** The code with which the system refused to start the process. */
  readonly spawnError: string | null
  readonly workspaceExists: boolean
  /** Why we ended it, if we did. */
  readonly stopped: 'timeout' | 'cancelled' | null
  readonly exitCode: number | null
  readonly signal: string | null
  /** The end of what it wrote there. */
  readonly stderr: string
  readonly ending: ResultEnding | null
  readonly assistantError: string | null
  /** The output ends in a line that is no JSON. */
  readonly endsUnreadable: boolean
  /** It was asked for an answer in a certain form. */
  readonly formRequested: boolean
}

export interface ClassificationRow {
  readonly error: CallErrorClass
  /** On an answer only the rows marked so are tried: its text is the model's, and proves nothing. */
  readonly alsoOnAnswers?: true
  readonly fits: (evidence: Evidence) => boolean
}

const complains = (pattern: RegExp) => (evidence: Evidence) => pattern.test(complaintOf(evidence))
const subtype = (name: string) => (evidence: Evidence) => evidence.ending?.subtype === name
const says = (name: string) => (evidence: Evidence) => evidence.assistantError === name
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

/** Measured on 2.1.197 and 2.1.330. The order matters: what comes first is more certain. */
export const CLASSIFICATION: readonly ClassificationRow[] = [
  { error: BinaryNotFoundError, fits: (e) => e.spawnError === 'ENOENT' && e.workspaceExists },
  { error: WorkspaceMissingError, fits: (e) => e.spawnError === 'ENOENT' },
  { error: InvalidInvocationError, fits: (e) => e.spawnError === 'E2BIG' },
  { error: StartupRefusedError, fits: (e) => e.spawnError !== null },
  { error: CallTimeoutError, fits: (e) => e.stopped === 'timeout' },
  { error: CallCancelledError, fits: (e) => e.stopped === 'cancelled' },
  { error: CliIncompatibleError, fits: complains(/^error: unknown option/m) },
  { error: SessionNotFoundError, fits: complains(/No conversation found with session ID/) },
  { error: SessionInUseError, fits: complains(/Session ID .* is already in use/) },
  {
    error: InvalidSessionIdError,
    fits: complains(/requires a valid session ID or session title|Invalid session ID\. Must be a valid UUID/),
  },
  {
    error: StartupRefusedError,
    fits: any(
      (e) => Boolean(e.ending?.startupFailure),
      both(
        (e) => e.ending === null,
        complains(/cannot be used with root|sandbox required but unavailable|could not start/),
      ),
    ),
  },
  {
    error: PromptTooLargeError,
    fits: any(
      complains(/piped stdin input exceeds|^Prompt is too long/m),
      terminal('blocking_limit', 'prompt_too_long'),
      status(413),
    ),
  },
  {
    error: InvalidInvocationError,
    fits: complains(
      /Input must be provided either through stdin|Input contained only whitespace|Settings file not found|Invalid MCP configuration|--json-schema is not valid JSON/,
    ),
  },
  { error: MaxTurnsError, fits: subtype('error_max_turns') },
  { error: BudgetExceededError, fits: subtype('error_max_budget_usd') },
  {
    error: StructuredOutputError,
    alsoOnAnswers: true,
    fits: any(
      subtype('error_max_structured_output_retries'),
      both(
        (e) => e.formRequested,
        subtype('success'),
        (e) => !e.ending?.isError && !e.ending?.hasStructuredOutput,
      ),
    ),
  },
  { error: InterruptedError, fits: terminal('aborted_streaming', 'aborted_tools') },
  {
    error: AuthenticationError,
    fits: any(says('authentication_failed'), status(401, 403), complains(/Not logged in/)),
  },
  {
    error: BillingError,
    fits: any(says('billing_error'), status(402), complains(/Credit balance is too low/)),
  },
  {
    error: RateLimitedError,
    fits: any(says('rate_limit'), status(429), complains(/^You've hit your|usage limit reached/im)),
  },
  { error: OverloadedError, fits: any(status(529), complains(/Repeated 529/), says('overloaded')) },
  {
    error: ApiUnavailableError,
    fits: any(
      (e) => (e.ending?.status ?? 0) >= 500,
      both(
        (e) => e.ending?.status === null,
        says('server_error'),
        (e) => !isUnreadable(e),
      ),
    ),
  },
  { error: ModelNotFoundError, fits: any(says('model_not_found'), status(404)) },
  { error: RefusedError, alsoOnAnswers: true, fits: (e) => e.ending?.stopReason === 'refusal' },
  { error: OutputTooLongError, alsoOnAnswers: true, fits: says('max_output_tokens') },
  { error: BadUpstreamError, fits: (e) => isUnreadable(e) },
  { error: InvalidRequestError, fits: status(400) },
  { error: ProcessKilledError, fits: (e) => e.signal !== null || e.exitCode === 143 || e.exitCode === 137 },
  { error: JSONParseError, fits: (e) => e.ending === null && e.endsUnreadable && e.exitCode === 0 },
  { error: NoResultError, fits: (e) => e.ending === null && e.exitCode === 0 },
  { error: CliCrashedError, fits: () => true },
]

const isUnreadable = complains(
  /malformed response|JSON Parse error|Unexpected end of JSON|Failed to parse JSON|Stream idle timeout|\[ede_diagnostic\]/,
)

/** The error of a call; null when it was answered. */
export function classify(evidence: Evidence, redact: Redact): ClaudeExecutionError | null {
  const answered = evidence.spawnError === null && evidence.ending !== null && isAnswer(evidence.ending)
  const row = CLASSIFICATION.find(
    (candidate) => (!answered || candidate.alsoOnAnswers) && candidate.fits(evidence),
  )
  if (!row) return null
  const said = oneLine(redact(answered ? '' : complaintOf(evidence)))
  const code = evidence.ending?.status
  return new row.error({ ...(said === '' ? {} : { said }), ...(code ? { status: code } : {}) })
}

/** What it complained of. Where there is a result, that knows better than what was written beside it. */
function complaintOf({ ending, stderr, spawnError, exitCode, signal }: Evidence): string {
  if (ending) {
    const own = [ending.startupFailure, ...ending.errors, ending.isError ? ending.text : null]
      .filter(Boolean)
      .join('; ')
    if (own !== '') return own
  }
  const rest = stderr.trim()
  if (rest !== '') return rest
  return spawnError ?? signal ?? (exitCode ? `exit code ${exitCode}` : '')
}
