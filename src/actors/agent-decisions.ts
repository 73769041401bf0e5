/** What an agent does next: pure functions from its state to facts and effects. All policy is here, none in the fold. */

import type { CallResult } from '../claude/runner.ts'
import { instant } from '../clock.ts'
import type { AgentFact, Failure } from '../events/agent-facts.ts'
import { callErrors } from '../events/call-errors.ts'
import type { Body } from '../events/task-input.ts'
import type { StreamSummary } from '../store/event-store.ts'
import type { AgentSnapshot } from './agent-machine.ts'
import type { AgentContext, CurrentTask, OpenCall, QueuedTask } from './agent-state.ts'
import type { Effect } from './definition.ts'
import { retryDelayMs } from './retry.ts'

/** Time and chance as they are when something is decided. */
export interface Circumstances {
  readonly now: number
  /** From 0 to 1. */
  readonly random: number
}

/** What goes on while an agent is in a state. */
export type AgentEffect = Effect &
  (
    | { readonly type: 'begin'; readonly task: QueuedTask }
    | { readonly type: 'call'; readonly task: CurrentTask; readonly call: OpenCall }
    | { readonly type: 'retry'; readonly task: CurrentTask; readonly dueAt: string }
    | { readonly type: 'deadline'; readonly task: CurrentTask }
  )

export function agentEffects({ value, context: { current, queue } }: AgentSnapshot): readonly AgentEffect[] {
  const next = queue[0]
  if ((value === 'idle' || value === 'error') && next) {
    return [{ key: `begin ${next.taskId}`, type: 'begin', task: next }]
  }
  if (!current) return []
  const { call, dueAt, taskId } = current
  const deadline: AgentEffect = { key: `deadline ${taskId}`, type: 'deadline', task: current }
  if (call) return [{ key: `call ${call.callId}`, type: 'call', task: current, call }, deadline]
  if (dueAt)
    return [{ key: `retry ${taskId} ${current.attempt}`, type: 'retry', task: current, dueAt }, deadline]
  return []
}

export function summarizeAgent({ value, context }: AgentSnapshot): StreamSummary {
  const { current, queue, totals, session } = context
  return {
    status: value,
    open: current !== null || queue.length > 0,
    info: {
      currentSession: session,
      queue: queue.length + (current ? 1 : 0),
      totalInteractions: totals.interactions,
      totalCostUsd: totals.costUsd,
    },
  }
}

/** New names for a call; chosen before it starts, so that it can be looked up after a crash. */
export interface CallIds {
  readonly callId: string
  readonly sessionId: string
}

/** Announces the next call: the first one of the next task, or a retry that is due. */
export function nextCall(context: AgentContext, ids: CallIds, { now }: Circumstances): readonly AgentFact[] {
  const { current, queue, session, config } = context
  const task = current ?? queue[0]
  if (!task || !config || current?.call) return []
  return [
    {
      type: 'CallStarted',
      data: {
        ...ids,
        taskId: task.taskId,
        attempt: (current?.attempt ?? 0) + 1,
        parentSessionId: task.session === 'fresh' ? null : session,
        deadlineAt: current?.deadlineAt ?? instant(now + config.timeoutMs),
      },
    },
  ]
}

export function callSucceeded(
  task: CurrentTask,
  call: OpenCall,
  result: CallResult,
  answer: { readonly text: Body; readonly harvested: boolean },
): AgentFact {
  const { costUsd, usage, durationMs, turns, model, permissionDenials } = result
  return {
    type: 'CallSucceeded',
    data: {
      taskId: task.taskId,
      callId: call.callId,
      attempt: task.attempt,
      sessionId: call.sessionId,
      parentSessionId: call.parentSessionId,
      costUsd,
      usage,
      durationMs,
      turns,
      model,
      permissionDenials,
      ...answer,
    },
  }
}

/**
 * Failures that are the task's own fault: another try would end the same, and the agent is well. All others, when
 * there is no try left, put the agent into its error state.
 */
const FAULTS_OF_THE_TASK = new Set([
  'PromptTooLargeError',
  'RefusedError',
  'OutputTooLongError',
  'OutputTooLargeError',
  'MaxTurnsError',
  'BudgetExceededError',
  'StructuredOutputError',
  'InvalidRequestError',
  'InvalidInputError',
  'InputNotFoundError',
  'InputKindError',
  'InputTooLargeError',
  'CloneError',
  'CloneTimeoutError',
])

/** The call has ended without an answer: how, and then a retry or the end of the task. */
export function callEnded(
  context: AgentContext,
  ending: AgentFact & { readonly type: 'CallFailed' | 'CallOutcomeUnknown' },
  error: Failure,
  { now, random }: Circumstances,
): readonly AgentFact[] {
  const { current, config } = context
  if (!current || !config) return []
  const { taskId, attempt } = current
  if (attempt <= retriesAfter(error, config.retry.attempts)) {
    // After a crash nothing has been tried by this process yet: there is nothing to wait for.
    const delayMs = ending.type === 'CallOutcomeUnknown' ? 0 : retryDelayMs(config.retry, attempt, random)
    const dueAt = instant(now + delayMs)
    return [ending, { type: 'RetryScheduled', data: { taskId, attempt: attempt + 1, dueAt } }]
  }
  return [ending, { type: 'TaskFailed', data: { taskId, error, fatal: !FAULTS_OF_THE_TASK.has(error.tag) } }]
}

/** How many retries a task has in all, as far as this failure is concerned. */
function retriesAfter(error: Failure, allowed: number): number {
  if (!error.retryable) return 0
  return callErrors[error.tag]?.retries === 'once' ? Math.min(1, allowed) : allowed
}

/** The task has had its time, in the middle of a call or between two. */
export function deadlinePassed({ current }: AgentContext, error: Failure): readonly AgentFact[] {
  if (!current) return []
  const { taskId, call } = current
  const failed: AgentFact = { type: 'TaskFailed', data: { taskId, error, fatal: true } }
  return call ? [{ type: 'CallFailed', data: { taskId, callId: call.callId, error } }, failed] : [failed]
}

/** Ends one task, or all of them, for the asker no longer wants them. */
export function cancelTasks(
  { current, queue }: AgentContext,
  reason: string,
  only?: string,
): readonly AgentFact[] {
  return [...(current ? [current] : []), ...queue]
    .filter(({ taskId }) => only === undefined || taskId === only)
    .map(({ taskId }) => ({ type: 'TaskCancelled', data: { taskId, reason } }))
}
