/** The `result` line with which a call ends: what it says, and what it comes to for us. */
import { oneLine, type Redact } from '../../events/redaction.ts'
import type { CallResult, Usage } from '../runner.ts'
import type { StreamFacts } from './parser.ts'
import { listAt, numberAt, recordAt, recordsAt, stringAt, type UntrustedRecord } from './untrusted-json.ts'

/** The parts that tell how it ended. */
export interface ResultEnding {
  readonly subtype: string
  readonly isError: boolean
  /** The answer, or the text of an error; null in records of the kind error_*. */
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

/** `subtype: "success"` alone says nothing: errors of the service come with it as well. */
export const isAnswer = (ending: ResultEnding): boolean =>
  ending.subtype === 'success' && !ending.isError && ending.text !== null

/** What the service counted, in its own words. */
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

/** The result of a call that was answered. `costBefore` is what the record counts that earlier calls have paid. */
export function callResult(
  result: UntrustedRecord,
  facts: StreamFacts,
  context: { readonly costBefore: number; readonly redact: Redact },
): CallResult {
  return {
    // An answer in a form that was asked for is told apart from the words around it.
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
