/** One call: composed from the log, then run or recovered, with one of three endings. */
import { recordable, recordableSpending } from '../../claude/recordable.ts'
import type {
  AgentRunner,
  Call,
  CallMessage,
  CallResult,
  CallSpending,
  Recovered,
} from '../../claude/runner.ts'
import type { Failure } from '../../events/agent-facts.ts'
import { NoResultError, OutcomeUnknownError } from '../../events/errors/call.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { defined } from '../../events/json.ts'
import { leftOutOf } from '../../events/material.ts'
import type { AgentConfig } from '../../events/options/agent.ts'
import { composePrompt } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import { isElsewhere, type Place } from '../../workspaces/place.ts'
import type { Bodies } from '../engine/bodies.ts'
import { conversationBefore, type LeftOut } from './session/conversation.ts'
import type { CurrentTask, OpenCall } from './state.ts'

/** How a call ended, as the log records it. */
export type CallEnding =
  | { readonly type: 'CallSucceeded'; readonly result: CallResult; readonly harvested: boolean }
  | Unanswered<'CallFailed'>
  | Unanswered<'CallOutcomeUnknown'>

export type Answered = CallEnding & { readonly type: 'CallSucceeded' }

interface Unanswered<Type> {
  readonly type: Type
  readonly error: Failure
  /** What the call cost all the same, as far as it is known. */
  readonly spent?: CallSpending
}

/** What became of a task that an earlier process left open. */
export type RecoveryOutcome = 'harvested' | 'redispatched' | 'retried' | 'failed' | 'unknown'

/** Where the parts of a call are read from. */
export interface CallSources {
  readonly store: EventStore
  readonly stream: string
  readonly bodies: Bodies
  readonly directories: AgentDirectories
  /** Whether the settings of its project count. undefined: it does not work on a repository. */
  readonly project?: boolean | undefined
}

/** A call, and what its prompt leaves out of a conversation that had to be rebuilt. */
export interface ComposedCall {
  readonly call: Call
  readonly leftOut: LeftOut | null
}

/** Composes what the runner needs from the log. */
export async function composeCall(
  agent: string,
  config: AgentConfig,
  task: CurrentTask,
  { callId, sessionId, parentSessionId, rebuilt }: OpenCall,
  sources: CallSources,
): Promise<ComposedCall> {
  const { systemPrompt, allowedTools, maxTurns, model, permissions } = config
  const { bodies, directories, project } = sources
  const prompt = typeof task.prompt === 'string' ? task.prompt : await bodies.read(task.prompt)
  const asked =
    task.textInput === null ? prompt : composePrompt({ prompt, textInput: await bodies.read(task.textInput) })
  const before =
    rebuilt && parentSessionId !== null ? await conversationBefore(parentSessionId, sources) : null
  const call: Call = {
    agent,
    callId,
    sessionId,
    parentSessionId: rebuilt ? null : parentSessionId,
    taskId: task.taskId,
    attempt: task.attempt,
    prompt: `${before?.text ?? ''}${asked}${noteOf(task)}`,
    settings: defined({
      systemPrompt,
      allowedTools: allowedTools ?? undefined,
      maxTurns: maxTurns ?? undefined,
      model: model ?? undefined,
      outputSchema: task.outputSchema,
      permissions,
      project,
    }),
    directories,
  }
  const { turns = 0, characters = 0 } = before?.leftOut ?? {}
  return { call, leftOut: turns + characters > 0 ? { turns, characters } : null }
}

/** What the model must know of its inputs beyond what it sees. */
function noteOf({ incomplete = [] }: CurrentTask): string {
  const told = incomplete.map((input) => `- ${leftOutOf(input)}`)
  return told.length === 0
    ? ''
    : `\n\n(Of the inputs in the workspace, not everything is there:\n${told.join('\n')})`
}

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
  let given: { readonly result: CallResult } | undefined
  let spent: CallSpending | undefined
  try {
    for await (const message of runner.start(call, { signal })) {
      if (message.type === 'result') given = { result: message.result }
      if (message.type === 'spent') spent = recordableSpending(message)
      const hearing = hear(message)
      if (hearing) await hearing
    }
    if (!given) throw new NoResultError()
  } catch (error) {
    if (!given) return defined({ type: 'CallFailed', error: callErrorData(error), spent })
  }
  return answered(given.result, false)
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
