/** Interprets the `result` line that ends a call. */
import { oneLine, type Redact } from '../../events/redaction.ts'
import { MOST_DENIALS, recordable } from '../recordable.ts'
import type { CallResult, Usage } from '../runner.ts'
import type { StreamFacts } from './parser.ts'
import {
  jsonText,
  labelAt,
  listAt,
  numberAt,
  recordAt,
  recordsIn,
  stringAt,
  type UntrustedRecord,
} from './untrusted-json.ts'

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

/** The service's own token counts. */
export function usageOf(usage: UntrustedRecord | null): Usage {
  return {
    inputTokens: numberAt(usage, 'input_tokens') ?? 0,
    outputTokens: numberAt(usage, 'output_tokens') ?? 0,
    cacheReadTokens: numberAt(usage, 'cache_read_input_tokens') ?? 0,
    cacheCreationTokens: numberAt(usage, 'cache_creation_input_tokens') ?? 0,
  }
}

export const addUsage = (one: Usage, other: Usage): Usage => ({
  inputTokens: one.inputTokens + other.inputTokens,
  outputTokens: one.outputTokens + other.outputTokens,
  cacheReadTokens: one.cacheReadTokens + other.cacheReadTokens,
  cacheCreationTokens: one.cacheCreationTokens + other.cacheCreationTokens,
})

/** The result of an answered call. `costBefore` is the part of the recorded cost that belongs to earlier calls. */
export function callResult(
  result: UntrustedRecord,
  facts: StreamFacts,
  context: {
    readonly costBefore: number
    readonly redact: Redact
    /** Takes the answer out of the structured output. */
    readonly unwrap?: (output: unknown) => unknown
  },
): CallResult {
  const { unwrap = (output) => output } = context
  return recordable({
    // Structured output comes in a field of its own, apart from the prose around it.
    text: jsonText(unwrap(result.structured_output)) ?? stringAt(result, 'result') ?? '',
    costUsd: Math.max(0, (numberAt(result, 'total_cost_usd') ?? 0) - context.costBefore),
    usage: usageOf(recordAt(result, 'usage')),
    durationMs: numberAt(result, 'duration_ms') ?? 0,
    turns: numberAt(result, 'num_turns'),
    model: facts.model,
    stopReason: stringAt(result, 'stop_reason') ?? undefined,
    permissionDenials: recordsIn(listAt(result, 'permission_denials').slice(0, MOST_DENIALS)).map(
      (denial) => ({
        tool: labelAt(denial, 'tool_name') ?? '',
        input: oneLine(context.redact(jsonText(denial.tool_input ?? null) ?? ''), 1000),
      }),
    ),
  })
}
