/** Interprets the `result` line that ends a call. */
import { oneLine, type Redact } from '../../events/redaction.ts'
import type { CallResult, Usage } from '../runner.ts'
import type { StreamFacts } from './parser.ts'
import { listAt, numberAt, recordAt, recordsAt, stringAt, type UntrustedRecord } from './untrusted-json.ts'

/** The fields that say how the call ended. */
export interface ResultEnding {
  readonly subtype: string
  readonly isError: boolean
  /** The answer, or the text of an error; null in records of type error_*. */
  readonly text: string | null
  readonly errors: readonly string[]
  readonly status: number | null
  readonly stopReason: string | null
  readonly terminalReason: string | null
  readonly startupFailure: string | null
  readonly hasStructuredOutput: boolean
}

export function endingOf(result: UntrustedRecord): ResultEnding {
  return {
    subtype: stringAt(result, 'subtype') ?? '',
    isError: result.is_error === true,
    text: stringAt(result, 'result'),
    errors: listAt(result, 'errors').filter((error) => typeof error === 'string'),
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
  context: { readonly costBefore: number; readonly redact: Redact },
): CallResult {
  return {
    // Structured output comes in a field of its own, apart from the prose around it.
    text:
      result.structured_output === undefined
        ? (stringAt(result, 'result') ?? '')
        : JSON.stringify(result.structured_output),
    costUsd: Math.max(0, (numberAt(result, 'total_cost_usd') ?? 0) - context.costBefore),
    usage: usageOf(recordAt(result, 'usage')),
    durationMs: numberAt(result, 'duration_ms') ?? 0,
    turns: numberAt(result, 'num_turns'),
    model: facts.model,
    permissionDenials: recordsAt(result, 'permission_denials').map((denial) => ({
      tool: stringAt(denial, 'tool_name') ?? '',
      input: oneLine(context.redact(JSON.stringify(denial.tool_input ?? null)), 1000),
    })),
  }
}
