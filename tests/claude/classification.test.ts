/** One piece of evidence at a time: a test for each row of the classification. */
import { expect, test } from 'vitest'
import { CLASSIFICATION, classify, type Evidence, endingOf } from '../../src/claude/classification.ts'
import { redactor } from '../../src/events/secrets/redaction.ts'

const NOTHING: Evidence = {
  spawnError: null,
  workspaceExists: true,
  stopped: null,
  exitCode: 1,
  signal: null,
  stderr: '',
  ending: null,
  assistantError: null,
  endsUnreadable: false,
  structuredOutputRequested: false,
}
const same = (text: string) => text
const answered = {
  type: 'result',
  subtype: 'success',
  is_error: false,
  result: 'Fine.',
  stop_reason: 'end_turn',
}
const failed = (more: object) => endingOf({ ...answered, is_error: true, result: 'API Error', ...more })
const errors = (...texts: string[]) =>
  endingOf({ type: 'result', subtype: 'error_during_execution', is_error: true, errors: texts })

const ROWS: [tag: string, evidence: Partial<Evidence>, retryable?: boolean][] = [
  ['BinaryNotFoundError', { spawnError: 'ENOENT' }],
  ['WorkspaceMissingError', { spawnError: 'ENOENT', workspaceExists: false }],
  ['InvalidInvocationError', { spawnError: 'E2BIG' }],
  ['StartupRefusedError', { spawnError: 'EACCES' }],
  ['CallTimeoutError', { stopped: 'timeout', exitCode: 143 }, true],
  ['CallCancelledError', { stopped: 'cancelled', signal: 'SIGKILL' }],
  ['CliIncompatibleError', { stderr: "error: unknown option '--fork-session'" }],
  ['SessionNotFoundError', { stderr: 'No conversation found with session ID: 1' }],
  ['SessionNotFoundError', { ending: errors('No conversation found with session ID: 1') }],
  ['SessionInUseError', { stderr: 'Error: Session ID 1 is already in use.' }, true],
  ['InvalidSessionIdError', { stderr: 'Invalid session ID. Must be a valid UUID.' }],
  ['InvalidSessionIdError', { stderr: '--resume requires a valid session ID or session title' }],
  ['StartupRefusedError', { ending: failed({ startup_failure_reason: 'config_file_invalid' }) }],
  ['StartupRefusedError', { stderr: '--dangerously-skip-permissions cannot be used with root/sudo' }],
  ['PromptTooLargeError', { stderr: 'Error: piped stdin input exceeds 10MB' }],
  ['PromptTooLargeError', { ending: failed({ result: 'Prompt is too long' }) }],
  ['PromptTooLargeError', { ending: failed({ terminal_reason: 'blocking_limit' }) }],
  ['PromptTooLargeError', { ending: failed({ api_error_status: 413 }), assistantError: 'invalid_request' }],
  [
    'InvalidInvocationError',
    { stderr: 'Error: Input must be provided either through stdin or as a prompt argument' },
  ],
  ['OutputSchemaError', { stderr: 'Error: --json-schema is not a valid JSON Schema' }],
  ['OutputSchemaError', { stderr: 'Error: --json-schema is not valid JSON' }],
  ['InvalidInvocationError', { stderr: 'Error: Input contained only whitespace.' }],
  ['InvalidInvocationError', { stderr: 'Error: Invalid MCP configuration' }],
  ['MaxTurnsError', { ending: endingOf({ subtype: 'error_max_turns', is_error: true }) }],
  ['BudgetExceededError', { ending: endingOf({ subtype: 'error_max_budget_usd', is_error: true }) }],
  ['StructuredOutputError', { ending: endingOf({ subtype: 'error_max_structured_output_retries' }) }, true],
  [
    'StructuredOutputError',
    { ending: endingOf(answered), structuredOutputRequested: true, exitCode: 0 },
    true,
  ],
  [
    'InterruptedError',
    { ending: endingOf({ subtype: 'error_during_execution', terminal_reason: 'aborted_tools' }) },
    true,
  ],
  [
    'AuthenticationError',
    { ending: failed({ api_error_status: 401 }), assistantError: 'authentication_failed' },
  ],
  ['AuthenticationError', { ending: failed({ api_error_status: 403 }) }],
  ['AuthenticationError', { ending: failed({ result: 'Not logged in · Please run /login' }) }],
  ['BillingError', { ending: failed({ api_error_status: 402 }) }],
  ['BillingError', { ending: failed({ result: 'Credit balance is too low' }) }],
  [
    'BillingError',
    { ending: failed({ result: "You've hit your monthly spend limit · raise it in settings" }) },
  ],
  ['BillingError', { ending: failed({ result: "You're out of usage credits. See Usage in Settings" }) }],
  [
    'RateLimitedError',
    { ending: failed({ result: "You've hit your spend limit · resets 3pm (UTC)" }) },
    true,
  ],
  ['RateLimitedError', { ending: failed({ result: "You're out of extra usage · resets 3pm (UTC)" }) }, true],
  ['RateLimitedError', { ending: failed({ api_error_status: 429 }), assistantError: 'rate_limit' }, true],
  ['RateLimitedError', { ending: failed({ result: "You've hit your session limit" }) }, true],
  ['OverloadedError', { ending: failed({ api_error_status: 529 }), assistantError: 'server_error' }, true],
  ['OverloadedError', { ending: failed({ result: 'API Error: Repeated 529 Overloaded errors' }) }, true],
  ['ApiUnavailableError', { ending: failed({ api_error_status: 503 }) }, true],
  [
    'ApiUnavailableError',
    { ending: failed({ result: 'API Error: Connection refused' }), assistantError: 'server_error' },
    true,
  ],
  ['ModelNotFoundError', { ending: failed({ api_error_status: 404 }), assistantError: 'model_not_found' }],
  ['RefusedError', { ending: endingOf({ ...answered, stop_reason: 'refusal' }), exitCode: 0 }],
  ['OutputTooLongError', { ending: endingOf(answered), assistantError: 'max_output_tokens' }],
  [
    'BadUpstreamError',
    { ending: failed({ result: 'API Error: Stream idle timeout' }), assistantError: 'server_error' },
    true,
  ],
  ['BadUpstreamError', { ending: errors('[ede_diagnostic] result_type=undefined') }, true],
  [
    'BadUpstreamError',
    { ending: endingOf({ ...answered, stop_reason: null }), exitCode: 0, endsOpen: true },
    true,
  ],
  ['InvalidRequestError', { ending: failed({ api_error_status: 400 }), assistantError: 'unknown' }],
  ['ProcessKilledError', { exitCode: null, signal: 'SIGKILL' }, true],
  ['ProcessKilledError', { exitCode: 143 }, true],
  ['JSONParseError', { exitCode: 0, endsUnreadable: true }, true],
  ['NoResultError', { exitCode: 0 }, true],
  ['CliCrashedError', { exitCode: 3, stderr: 'Segmentation fault' }, true],
]

test.each([0, 1, 3])(
  'a disk that is full is told by a call without an answer that ended with %i',
  (exitCode) => {
    const error = classify({ ...NOTHING, exitCode, fullDisk: '/base/home' }, same)
    expect(error?.summary).toMatch(/: the disk is full: \/base\/home\.$/)
  },
)

test.each(ROWS)('%s: %j', (tag, evidence, retryable = false) => {
  expect(classify({ ...NOTHING, ...evidence }, same)).toMatchObject({ _tag: tag, retryable })
})

test('every row of the table decides some call', () => {
  const decided = ROWS.map(([, evidence]) => {
    const whole = { ...NOTHING, ...evidence }
    return CLASSIFICATION.findIndex((row) => row.fits(whole))
  })
  expect(CLASSIFICATION.map((_, index) => index).filter((index) => !decided.includes(index))).toEqual([])
})

test.each([
  'Prompt is too long',
  'Not logged in',
  'Credit balance is too low',
  "You've hit your goal",
  'Session ID x is already in use',
  '[ede_diagnostic]',
])('an answer that says %j is an answer', (result) => {
  expect(classify({ ...NOTHING, exitCode: 0, ending: endingOf({ ...answered, result }) }, same)).toBeNull()
})

test('an answer counts despite its exit code, its stderr, or a cancellation', () => {
  const late: Partial<Evidence> = {
    exitCode: 143,
    stopped: 'cancelled',
    stderr: 'could not start',
    ending: endingOf(answered),
  }
  expect(classify({ ...NOTHING, ...late }, same)).toBeNull()
})

test('an empty answer is an answer', () => {
  expect(classify({ ...NOTHING, ending: endingOf({ ...answered, result: '' }) }, same)).toBeNull()
})

test('an error keeps the status and the message, without keys, prompts and control sequences', () => {
  const result =
    'API Error: 500 \u001b[31mbad\u001b[0m key sk-ant-api03-abcdef for "tell me\\neverything please"'
  const error = classify(
    { ...NOTHING, ending: failed({ api_error_status: 500, result }) },
    redactor({ prompts: ['tell me\neverything please'] }),
  )
  expect(error?.details).toEqual({ status: 500, said: 'API Error: 500 bad key [redacted] for "[prompt]"' })
})
