/** What a call came to: its result, or the one error it ended in. */
import { existsSync } from 'node:fs'
import type { Clock } from '../../clock.ts'
import { CallCancelledError, CallTimeoutError, ClaudeExecutionError } from '../../events/errors/call.ts'
import { defined, type JsonObject } from '../../events/json.ts'
import { oneLine, type Redact } from '../../events/secrets/redaction.ts'
import { classify, endingOf, isAnswer } from '../classification.ts'
import { unwrapper } from '../output-schema.ts'
import { MOST_DENIALS, recordable } from '../recordable.ts'
import type { Call, CallResult, CallSpending, DeferredTool } from '../runner.ts'
import type { Sessions } from '../session/sessions.ts'
import type { StreamFacts, StreamParser } from '../stream/parser.ts'
import {
  jsonText,
  labelAt,
  listAt,
  numberAt,
  recordAt,
  recordsIn,
  stringAt,
  type UntrustedRecord,
} from '../stream/untrusted-json.ts'
import { estimatedCost, NO_USAGE, usageOf } from '../usage.ts'
import { hasNoRoom, readStderr } from './call-output.ts'
import type { LaunchPlan, RunEnd } from './call-run.ts'

export interface EndContext {
  readonly plan: LaunchPlan
  readonly facts: StreamFacts
  readonly redact: Redact
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Whether the call asked for structured output. */
  readonly structuredOutputRequested: boolean
}

/** The error of a call that has ended; null if it was answered, which counts even if it had been cancelled by then. */
export async function callFailure(end: RunEnd, context: EndContext): Promise<ClaudeExecutionError | null> {
  const { plan, facts, redact, signal, structuredOutputRequested } = context
  const stopped = signal.aborted ? stoppedError(signal) : null
  const ending = facts.result === null ? null : endingOf(facts.result)
  const isCutShort = ending === null && stopped === null && end.spawnError === null
  const error = classify(
    {
      ...end,
      workspaceExists: existsSync(plan.directory),
      fullDisk: isCutShort && (await hasNoRoom(plan.output)) ? plan.home : undefined,
      stopped: stopped === null ? null : stopped instanceof CallTimeoutError ? 'timeout' : 'cancelled',
      // Of an answered call it says nothing.
      stderr: ending && isAnswer(ending) ? '' : await readStderr(plan.output),
      ending,
      assistantError: facts.assistantError,
      endsOpen: facts.endsOpen,
      endsUnreadable: facts.endsUnreadable,
      structuredOutputRequested,
      windows: facts.windows,
      saidAt: context.clock.now(),
    },
    redact,
  )
  if (error === null) return null
  const isStopped = error instanceof CallTimeoutError || error instanceof CallCancelledError
  return end.failure ?? (isStopped ? stopped : null) ?? error
}

/** The abort's reason may be the error itself; that of AbortSignal.timeout() means a timeout. */
export function stoppedError(signal: AbortSignal): ClaudeExecutionError {
  const reason: unknown = signal.reason
  if (reason instanceof ClaudeExecutionError) return reason
  const isTimeout = reason instanceof Error && reason.name === 'TimeoutError'
  return isTimeout
    ? new CallTimeoutError({}, { cause: reason })
    : new CallCancelledError({}, { cause: reason })
}

/** The tool call at which the call ended, for a person to decide; undefined if it ended otherwise. */
export function deferredIn(result: UntrustedRecord): DeferredTool | undefined {
  const deferred = recordAt(result, 'deferred_tool_use')
  const [toolUseId, tool] = [stringAt(deferred, 'id'), stringAt(deferred, 'name')]
  if (stringAt(result, 'stop_reason') !== 'tool_deferred' || toolUseId === null || tool === null)
    return undefined
  return { tool, toolUseId, input: (recordAt(deferred, 'input') ?? {}) as JsonObject }
}

/** The cost that a call's own session has recorded so far. */
export async function costSoFar(call: Call, sessions: Sessions): Promise<number> {
  const own = await sessions.transcriptOf(call.sessionId)
  return (own && (await sessions.end(own)))?.chainCostUsd ?? 0
}

export interface CostContext extends Pick<StreamParser, 'facts'> {
  /** The cost of the session before the call, if the call continues it in place. */
  readonly costBefore?: number | undefined
  /** Its agent's sessions now that it has ended. */
  readonly sessions: Sessions
}

/** The result of an answered call, with the cost of this call alone, and whether its session was saved. */
export async function resultOf(
  call: Call,
  record: UntrustedRecord,
  { facts, redact, costBefore: known, sessions }: CostContext & Pick<EndContext, 'redact'>,
): Promise<{ readonly result: CallResult; readonly isSessionKept: boolean }> {
  const own = await sessions.transcriptOf(call.sessionId)
  const end = own ? await sessions.end(own) : null
  // Versions that write a cost state report the whole chain's cost in `total_cost_usd`; others report this call's.
  const countsChain = end !== null && end.chainCostUsd !== null
  const paidBefore = countsChain ? (known ?? (await sessions.costBefore(call))) : 0
  const { outputSchema } = call.settings
  const unwrap = outputSchema && unwrapper(outputSchema)
  const result = callResult(record, facts, defined({ costBefore: paidBefore, redact, unwrap }))
  return { result, isSessionKept: end !== null }
}

/**
 * What a call without an answer has cost: by its result, or an estimate by what it had said when it was cut off. undefined
 * if neither tells.
 */
export async function spendingOf(
  call: Call,
  { facts, streamed, costBefore: known, sessions }: CostContext & Pick<StreamParser, 'streamed'>,
): Promise<CallSpending | undefined> {
  const { result, model } = facts
  // A call that failed early has saved no cost of its own: then that of its parent says how its version counts.
  const reported = result && reportedSpending(result, model, known ?? (await sessions.costBefore(call)))
  const isTold =
    reported && (reported.costUsd > 0 || Object.values(reported.usage).some((tokens) => tokens > 0))
  return isTold ? reported : (streamed.spending(call.prompt) ?? reported ?? undefined)
}

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
