/** One call: run, or recovered, with one of four endings. It is composed by `session/composed-call.ts`. */
import { recordable, recordableSetup, recordableSpending } from '../../claude/recordable.ts'
import type {
  AgentRunner,
  Call,
  CallMessage,
  CallResult,
  CallSpending,
  DeferredTool,
  Recovered,
} from '../../claude/runner.ts'
import type { Failure } from '../../events/agent-facts.ts'
import { NoResultError, OutcomeUnknownError } from '../../events/errors/call.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { defined } from '../../events/json.ts'
import type { CallSetup } from '../../events/options/servers.ts'
import { isElsewhere, type Place } from '../../workspaces/place.ts'
import type { OpenCall } from './state.ts'

/** How a call ended, as the log records it; `setup` is what came up when it began, if it said so. */
export type CallEnding = { readonly setup?: CallSetup } & (
  | { readonly type: 'CallSucceeded'; readonly result: CallResult; readonly harvested: boolean }
  /** At a tool call that a person has to decide. */
  | { readonly type: 'CallDeferred'; readonly deferred: DeferredTool; readonly spent?: CallSpending }
  | Unanswered<'CallFailed'>
  | Unanswered<'CallOutcomeUnknown'>
)

export type Answered = CallEnding & { readonly type: 'CallSucceeded' }

interface Unanswered<Type> {
  readonly type: Type
  readonly error: Failure
  /** What the call cost all the same, as far as it is known. */
  readonly spent?: CallSpending
}

/** What became of a task that an earlier process left open. */
export type RecoveryOutcome = 'harvested' | 'deferred' | 'redispatched' | 'retried' | 'failed' | 'unknown'

/**
 * Runs a call to its end. Never throws: what the runner or `hear` throws ends the call as `CallFailed`, unless the answer
 * was there before.
 */
export async function carryOutCall(
  runner: AgentRunner,
  call: Call,
  signal: AbortSignal,
  hear: (message: CallMessage) => Promise<void> | undefined,
): Promise<CallEnding> {
  let given: { readonly result: CallResult } | { readonly deferred: DeferredTool } | undefined
  let spent: CallSpending | undefined
  let setup: CallSetup | undefined
  try {
    for await (const message of runner.start(call, { signal })) {
      if (message.type === 'result') given = { result: message.result }
      if (message.type === 'deferred') given ??= { deferred: message }
      if (message.type === 'init') setup = recordableSetup(message)
      if (message.type === 'spent') spent = recordableSpending(message)
      const hearing = hear(message)
      if (hearing) await hearing
    }
    if (!given) throw new NoResultError()
  } catch (error) {
    if (!given) return defined({ type: 'CallFailed', error: callErrorData(error), spent, setup })
  }
  if ('result' in given) return { ...answered(given.result, false), ...defined({ setup }) }
  return defined({ type: 'CallDeferred', deferred: given.deferred, spent, setup })
}

/** The ending of a call with this result: a failure that tells its cost if the result is not valid. */
function answered(result: CallResult, harvested: boolean): CallEnding {
  try {
    return { type: 'CallSucceeded', result: recordable(result), harvested }
  } catch (error) {
    return { type: 'CallFailed', error: callErrorData(error), ...recordedSpending(result) }
  }
}

const UNANSWERED: Recovered = { outcome: 'unanswered' }

const recordedSpending = (spent: CallSpending | undefined) => defined({ spent: recordableSpending(spent) })

/**
 * Finds out how a call of an earlier process ended. undefined: it was never sent, so it can be started. A call that began
 * elsewhere has left its answer here, or its outcome is unknown: what is not here proves nothing.
 */
export async function recoverAnnouncedCall(
  runner: AgentRunner,
  call: Call,
  process: OpenCall['process'],
  here: Place,
  signal: AbortSignal,
): Promise<CallEnding | undefined> {
  const isGone = process !== null && isElsewhere(process, here)
  const found = await runner.recover(call, { process: isGone ? null : process, signal })
  const recovered = isGone && found.outcome === 'unsent' ? UNANSWERED : found
  switch (recovered.outcome) {
    case 'answered':
      return answered(recovered.result, true)
    case 'deferred':
      return {
        type: 'CallDeferred',
        deferred: recovered.deferred,
        ...recordedSpending(recovered.spent),
      }
    case 'failed':
      return {
        type: 'CallFailed',
        error: callErrorData(recovered.error),
        ...recordedSpending(recovered.spent),
      }
    case 'unanswered':
      return {
        type: 'CallOutcomeUnknown',
        error: callErrorData(new OutcomeUnknownError()),
        ...recordedSpending(recovered.spent),
      }
    case 'unsent':
      return undefined
  }
}
