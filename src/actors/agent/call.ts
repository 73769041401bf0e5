/** One call: composed from the log, then run or recovered, with one of three endings. */
import { recordable } from '../../claude/recordable.ts'
import type { AgentRunner, Call, CallMessage, CallResult } from '../../claude/runner.ts'
import type { Failure } from '../../events/agent-facts.ts'
import { NoResultError, OutcomeUnknownError } from '../../events/errors/call.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { defined } from '../../events/json.ts'
import type { AgentConfig } from '../../events/options/agent.ts'
import { composePrompt } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import type { Bodies } from '../engine/bodies.ts'
import { conversationBefore } from './session/conversation.ts'
import type { CurrentTask, OpenCall } from './state.ts'

/** How a call ended, as the log records it. */
export type CallEnding =
  | { readonly type: 'CallSucceeded'; readonly result: CallResult; readonly harvested: boolean }
  | { readonly type: 'CallFailed'; readonly error: Failure }
  | { readonly type: 'CallOutcomeUnknown'; readonly error: Failure }

/** What became of a task that an earlier process left open. */
export type RecoveryOutcome = 'harvested' | 'redispatched' | 'retried' | 'failed' | 'unknown'

/** Where the parts of a call are read from. */
export interface CallSources {
  readonly store: EventStore
  readonly stream: string
  readonly bodies: Bodies
  readonly directories: AgentDirectories
}

/** Composes what the runner needs from the log. */
export async function composeCall(
  agent: string,
  config: AgentConfig,
  task: CurrentTask,
  { callId, sessionId, parentSessionId, rebuilt }: OpenCall,
  sources: CallSources,
): Promise<Call> {
  const { systemPrompt, allowedTools, maxTurns, model, permissions, loadProjectSettings } = config
  const { bodies, directories } = sources
  const textInput = task.textInput === null ? undefined : await bodies.read(task.textInput)
  const prompt = composePrompt(defined({ prompt: await bodies.read(task.prompt), textInput }))
  const before = rebuilt && parentSessionId !== null ? await conversationBefore(parentSessionId, sources) : ''
  return {
    agent,
    callId,
    sessionId,
    parentSessionId: rebuilt ? null : parentSessionId,
    taskId: task.taskId,
    attempt: task.attempt,
    prompt: `${before}${prompt}`,
    settings: defined({
      systemPrompt,
      allowedTools: allowedTools ?? undefined,
      maxTurns: maxTurns ?? undefined,
      model: model ?? undefined,
      outputSchema: task.outputSchema,
      permissions,
      loadProjectSettings,
    }),
    directories,
  }
}

/** Runs a call to its end. Never throws: what the runner or `hear` throws ends the call as `CallFailed`. */
export async function carryOutCall(
  runner: AgentRunner,
  call: Call,
  signal: AbortSignal,
  hear: (message: CallMessage) => void | Promise<void>,
): Promise<CallEnding> {
  try {
    let result: CallResult | undefined
    for await (const message of runner.start(call, { signal })) {
      if (message.type === 'result') result = recordable(message.result)
      await hear(message)
    }
    if (!result) throw new NoResultError()
    return { type: 'CallSucceeded', result, harvested: false }
  } catch (error) {
    return { type: 'CallFailed', error: callErrorData(error) }
  }
}

/** A recovered answer; a failure if its result is not valid. */
function harvested(result: CallResult): CallEnding {
  try {
    return { type: 'CallSucceeded', result: recordable(result), harvested: true }
  } catch (error) {
    return { type: 'CallFailed', error: callErrorData(error) }
  }
}

/** Finds out how a call of an earlier process ended. undefined: it was never sent, so it can be started. */
export async function recoverAnnouncedCall(
  runner: AgentRunner,
  call: Call,
  process: OpenCall['process'],
  signal: AbortSignal,
): Promise<CallEnding | undefined> {
  const recovered = await runner.recover(call, { process, signal })
  switch (recovered.outcome) {
    case 'answered':
      return harvested(recovered.result)
    case 'failed':
      return { type: 'CallFailed', error: callErrorData(recovered.error) }
    case 'unanswered':
      return { type: 'CallOutcomeUnknown', error: callErrorData(new OutcomeUnknownError()) }
    case 'unsent':
      return undefined
  }
}
