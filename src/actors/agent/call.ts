/** One call carried out: start it, or find out what became of it, and turn what comes of it into facts. */

import type { AgentRunner, Call, CallMessage, CallResult } from '../../claude/runner.ts'
import type { AgentFact, Failure } from '../../events/agent-facts.ts'
import { NoResultError, OutcomeUnknownError } from '../../events/errors/call.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import type { AgentConfig } from '../../events/options/agent.ts'
import { composePrompt } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import type { Bodies } from '../engine/bodies.ts'
import { conversationBefore } from './session/conversation.ts'
import type { CurrentTask, OpenCall } from './state.ts'

/** How a call ended, for the log. */
export type CallEnding =
  | { readonly type: 'CallSucceeded'; readonly result: CallResult; readonly harvested: boolean }
  | { readonly type: 'CallFailed'; readonly error: Failure }
  | { readonly type: 'CallOutcomeUnknown'; readonly error: Failure }

/** What an open can find of a call that an earlier process had announced. */
export type RecoveryOutcome = 'harvested' | 'redispatched' | 'retried' | 'failed' | 'unknown'

/** Where a call finds what the log says of its agent. */
export interface CallSources {
  readonly store: EventStore
  readonly stream: string
  readonly bodies: Bodies
  readonly directories: AgentDirectories
}

/** Everything that the runner needs, put together from the log. */
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
  const prompt = composePrompt({
    prompt: await bodies.read(task.prompt),
    ...(textInput === undefined ? {} : { textInput }),
  })
  const before = rebuilt && parentSessionId !== null ? await conversationBefore(parentSessionId, sources) : ''
  return {
    agent,
    callId,
    sessionId,
    parentSessionId: rebuilt ? null : parentSessionId,
    taskId: task.taskId,
    attempt: task.attempt,
    prompt: `${before}${prompt}`,
    settings: {
      systemPrompt,
      ...(allowedTools === null ? {} : { allowedTools }),
      ...(maxTurns === null ? {} : { maxTurns }),
      ...(model === null ? {} : { model }),
      ...(task.outputSchema === undefined ? {} : { outputSchema: task.outputSchema }),
      permissions,
      loadProjectSettings,
    },
    directories,
  }
}

/** Runs a call to its end. Never throws: every end is one of the three. */
export async function carryOutCall(
  runner: AgentRunner,
  call: Call,
  signal: AbortSignal,
  hear: (message: CallMessage) => void | Promise<void>,
): Promise<CallEnding> {
  try {
    let result: CallResult | undefined
    for await (const message of runner.start(call, { signal })) {
      if (message.type === 'result') result = message.result
      await hear(message)
    }
    if (!result) throw new NoResultError()
    return { type: 'CallSucceeded', result, harvested: false }
  } catch (error) {
    return { type: 'CallFailed', error: callErrorData(error) }
  }
}

/** Finds out what became of a call of an earlier process. undefined: it never left, start it. */
export async function recoverAnnouncedCall(
  runner: AgentRunner,
  call: Call,
  process: OpenCall['process'],
  signal: AbortSignal,
): Promise<CallEnding | undefined> {
  const recovered = await runner.recover(call, { process, signal })
  switch (recovered.outcome) {
    case 'answered':
      return { type: 'CallSucceeded', result: recovered.result, harvested: true }
    case 'failed':
      return { type: 'CallFailed', error: callErrorData(recovered.error) }
    case 'unanswered':
      return { type: 'CallOutcomeUnknown', error: callErrorData(new OutcomeUnknownError()) }
    case 'unsent':
      return undefined
  }
}

/** Whether a fact ends the task with this id. */
export function endsTask(fact: { type: string; data: object }, taskId: string): boolean {
  const ends: readonly AgentFact['type'][] = ['CallSucceeded', 'TaskFailed', 'TaskCancelled']
  return (
    (ends as readonly string[]).includes(fact.type) && 'taskId' in fact.data && fact.data.taskId === taskId
  )
}
