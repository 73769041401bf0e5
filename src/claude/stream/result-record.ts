/** Interprets the `result` line that ends a call. */
import type { JsonObject } from '../../events/json.ts'
import { oneLine, type Redact } from '../../events/secrets/redaction.ts'
import { MOST_DENIALS, recordable } from '../recordable.ts'
import type { CallResult, CallSpending, DeferredTool } from '../runner.ts'
import { estimatedCost, NO_USAGE, usageOf } from '../usage.ts'
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

/** The tool call at which the call ended, for a person to decide; undefined if it ended otherwise. */
export function deferredIn(result: UntrustedRecord): DeferredTool | undefined {
  const deferred = recordAt(result, 'deferred_tool_use')
  const [toolUseId, tool] = [stringAt(deferred, 'id'), stringAt(deferred, 'name')]
  if (stringAt(result, 'stop_reason') !== 'tool_deferred' || toolUseId === null || tool === null)
    return undefined
  return { tool, toolUseId, input: (recordAt(deferred, 'input') ?? {}) as JsonObject }
}

/** `subtype: "success"` alone means nothing: errors of the service carry it too. */
export const isAnswer = (ending: ResultEnding): boolean =>
  ending.subtype === 'success' && !ending.isError && ending.text !== null

/**
 * What the call cost by its result, without `costBefore`, the part of the recorded cost that belongs to earlier calls;
 * undefined if the result does not tell. A result without a price is estimated by its tokens.
 */
export function reportedSpending(
  result: UntrustedRecord,
  model: string | null,
  costBefore: number,
): CallSpending | undefined {
  const total = numberAt(result, 'total_cost_usd')
  const reported = recordAt(result, 'usage')
  if (total === null && reported === null) return undefined
  const usage = usageOf(reported)
  if (total === null) return { costUsd: estimatedCost(model, usage), usage, estimated: true }
  return { costUsd: Math.max(0, total - costBefore), usage }
}

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
  const { structured_output: given } = result
  const output = context.unwrap ? context.unwrap(given) : given
  return recordable({
    // Structured output comes in a field of its own, apart from the prose around it.
    text: jsonText(output) ?? facts.begun + (stringAt(result, 'result') ?? ''),
    ...(reportedSpending(result, facts.model, context.costBefore) ?? { costUsd: 0, usage: NO_USAGE }),
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
