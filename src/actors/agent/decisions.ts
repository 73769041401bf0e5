/**
 * What happens to a task next: pure functions from an agent's state to effects and facts. The fold holds no policy. What
 * else decides: `failure-policy.ts` about retries, `tasks/tasks.ts` about accepting a task, `tasks/held.ts` about approving
 * one, and `agent.ts` and `system.ts` about the agent itself.
 */
import { durableTimer, instant } from '../../clock.ts'
import { type AgentFact, type Failure, NO_FILES } from '../../events/agent-facts.ts'
import { hasMaterial } from '../../events/task-input.ts'
import type { Circumstances, Effect } from '../engine/definition.ts'
import { deadlineLeftMs } from './deadline.ts'
import { faultOf, rejectsRequest, retriesAfter, retryDelayMs } from './failure-policy.ts'
import { isWoken, namesOf, readableMessages, readBy, wakingMessage } from './mailbox/unread.ts'
import type { AgentContext, AgentState, CurrentTask, OpenCall, QueuedTask } from './state.ts'
import { withinTurn } from './tasks/deferral.ts'
import { leftAfterRefusal, limitLeftMs, retryAfterMs } from './waits.ts'

/** What runs while an agent is in a state. */
export type AgentEffect = Effect &
  (
    | { readonly type: 'begin' }
    | { readonly type: 'wake'; readonly cause: string }
    | { readonly type: 'call'; readonly task: CurrentTask; readonly call: OpenCall }
    | { readonly type: 'end'; readonly task: CurrentTask; readonly call: OpenCall }
    | { readonly type: 'retry'; readonly task: CurrentTask; readonly dueAt: string }
    | { readonly type: 'deadline'; readonly task: CurrentTask }
  )

/** The key of the effect that runs again when a budget or an account has changed, to see if a held task may begin now. */
export const BEGIN_HELD = 'begin held'

/** The key of the effect that begins a task for a message. */
export const wakingKey = ({ messageId }: { readonly messageId: string }): string => `wake ${messageId}`

/** Whether it waits for a budget or an account. */
export const isHeldForMoney = ({ hold }: QueuedTask): boolean =>
  hold !== undefined && hold.reason !== 'approval'

/**
 * The tasks that may begin, in the order in which they are tried: the first one that nothing holds, preceded by those
 * before it that a budget or their account holds. Tasks that need approval are passed over.
 */
export function ready({ queue: all }: AgentContext): readonly QueuedTask[] {
  const queue = withinTurn(all)
  const next = queue.findIndex(({ hold }) => hold === undefined)
  const upTo = next < 0 ? queue : queue.slice(0, next + 1)
  return upTo.filter(({ hold }) => hold?.reason !== 'approval')
}

export function agentEffects(snapshot: AgentState): readonly AgentEffect[] {
  const { abandoned = [] } = snapshot.context
  const effects = effectsOfTasks(snapshot)
  if (abandoned.length === 0) return effects
  // First: no call begins before the one before it has ended.
  return [
    ...abandoned.map((of): AgentEffect => ({ key: `end ${of.call.callId}`, type: 'end', ...of })),
    ...effects,
  ]
}

function effectsOfTasks({ value, context }: AgentState): readonly AgentEffect[] {
  const { current, queue, unread = [] } = context
  if (value === 'idle' || value === 'error') {
    if (queue.length + unread.length === 0) return NOTHING
    const next = withinTurn(queue).find(({ hold }) => hold === undefined)
    if (next) return [{ key: `begin ${next.taskId}`, type: 'begin' }]
    const waking = wakingMessage(context)
    return [
      ...(queue.some(isHeldForMoney) ? [{ key: BEGIN_HELD, type: 'begin' } as const] : []),
      ...(waking ? [{ key: wakingKey(waking), type: 'wake', cause: waking.cause } as const] : []),
    ]
  }
  if (!current) return []
  const { call, dueAt, taskId } = current
  const deadline: AgentEffect = {
    key: `deadline ${taskId} ${current.deadlineAt}`,
    type: 'deadline',
    task: current,
  }
  if (call) return [{ key: `call ${call.callId}`, type: 'call', task: current, call }, deadline]
  if (!dueAt) return []
  const retry: AgentEffect = {
    key: `retry ${taskId} ${current.attempt}`,
    type: 'retry',
    task: current,
    dueAt,
  }
  return current.leftMs === null ? [retry, deadline] : [retry]
}

const NOTHING: readonly AgentEffect[] = []

/** The ids of a call, chosen before it starts so that it can be found after a crash. */
export interface CallIds {
  readonly callId: string
  readonly sessionId: string
  /** Whether it begins in a workspace without files. Default: false. */
  readonly isEmpty?: boolean
}

/** The task that may have its next call: the current one between two calls, or one in the queue. */
export const nextTask = ({ current, queue }: AgentContext, taskId: string): QueuedTask | undefined =>
  current ? (current.taskId === taskId ? current : undefined) : queue.find((one) => one.taskId === taskId)

/**
 * Announces a task's next call: its first one, or a retry that is due. No facts if the task can no longer begin, and its end
 * if what woke the agent was read with another one.
 *
 * @param idleMs How much of its time does not count, because it waited for admission or no process had it: its deadline
 *   moves by as much.
 */
export function nextCall(
  context: AgentContext,
  task: Omit<QueuedTask, 'cause'> | undefined,
  { callId, sessionId, isEmpty }: CallIds,
  { now }: Pick<Circumstances, 'now'>,
  idleMs = 0,
): readonly AgentFact[] {
  const { current, session, lostSession, config, files } = context
  if (!task || !config || current?.call || task.hold?.reason === 'approval') return []
  // A turn that continues in its middle gets no prompt.
  const messages = task.deferred ? [] : readableMessages(context)
  if (isWoken(task) && messages.length + readBy(task).length === 0)
    return cancelTasks(context, 'its messages were read with another task', { only: task.taskId })
  const parentSessionId = { chain: session, run: task.continues ?? null, fresh: null }[task.session]
  const leftMs = current
    ? (current.leftMs ?? deadlineLeftMs(current, config, now - idleMs))
    : config.timeoutMs
  // Its inputs are still to come, or there are snapshots already: then one says what it begins from.
  const empty = isEmpty && !hasMaterial(task.material) && (files?.commit ?? NO_FILES) === NO_FILES
  return [
    {
      type: 'CallStarted',
      data: {
        callId,
        sessionId,
        taskId: task.taskId,
        attempt: (task.attempt ?? 0) + 1,
        parentSessionId,
        deadlineAt: instant(now + leftMs),
        leftMs,
        ...(parentSessionId !== null && parentSessionId === lostSession ? { rebuilt: true as const } : {}),
        ...(empty && { empty }),
        ...(messages.length > 0 && namesOf(messages)),
      },
    },
  ]
}

/**
 * Ends a call without an answer, and then schedules a retry or ends the task.
 *
 * @param idleMs How much of the task's time does not count, because no process had it.
 */
export function callEnded(
  context: AgentContext,
  ending: AgentFact & { readonly type: 'CallFailed' | 'CallOutcomeUnknown' },
  error: Failure,
  { now, random }: Circumstances,
  idleMs = 0,
): readonly AgentFact[] {
  const { current, config } = context
  if (!current || !config) return []
  const { taskId, attempt, excused, refusals, call } = current
  const retry = (delayMs: number) => ({ taskId, attempt: attempt + 1, ...durableTimer(now, delayMs) })
  const leftMs = deadlineLeftMs(current, config, now - idleMs)
  const fault = faultOf(error)
  if (fault === 'payment')
    return [ending, { type: 'TaskHeld', data: { taskId, hold: { reason: 'account', said: error.message } } }]
  if (fault === 'account') {
    const backOffMs = retryDelayMs(config.retry, refusals + 1, random)
    const delayMs = Math.max(retryAfterMs(error), limitLeftMs(error, { now, random }) || backOffMs)
    const given = { because: 'account', leftMs: leftAfterRefusal(call, leftMs) } as const
    return [ending, { type: 'RetryScheduled', data: { ...retry(delayMs), ...given } }]
  }
  const isSessionAtFault = fault === 'session' || rejectsRequest(error)
  const lost = current.deferred?.sessionId ?? (call?.rebuilt ? null : call?.parentSessionId) ?? null
  if (isSessionAtFault && lost !== null) {
    return [
      ending,
      { type: 'SessionLost', data: { taskId, sessionId: lost } },
      { type: 'RetryScheduled', data: { ...retry(0), deadlineInMs: leftMs, because: 'session' } },
    ]
  }
  if (attempt - excused <= retriesAfter(error, config.retry.attempts)) {
    // A call that a crash interrupted says nothing about the service, so there is no need to wait.
    const delayMs =
      ending.type === 'CallOutcomeUnknown' ? 0 : retryDelayMs(config.retry, attempt - excused, random)
    return [ending, { type: 'RetryScheduled', data: { ...retry(delayMs), deadlineInMs: leftMs } }]
  }
  return [ending, { type: 'TaskFailed', data: { taskId, error, fatal: fault !== 'task' } }]
}

/** Fails a task for good, with its call if it has one, unless it has ended. A queued task leaves its agent as it is. */
export function taskBroken(
  { current, queue }: AgentContext,
  taskId: string,
  error: Failure,
): readonly AgentFact[] {
  if (current?.taskId !== taskId) {
    if (!queue.some((task) => task.taskId === taskId)) return []
    return [{ type: 'TaskFailed', data: { taskId, error, fatal: false } }]
  }
  const { call } = current
  const failed: AgentFact = { type: 'TaskFailed', data: { taskId, error, fatal: true } }
  if (!call) return [failed]
  return [{ type: 'CallFailed', data: { taskId, callId: call.callId, error, running: true } }, failed]
}

/** Cancels one task, or all of them. */
export function cancelTasks(
  { current, queue }: AgentContext,
  reason: string,
  { only, by }: { readonly only?: string; readonly by?: string | undefined } = {},
): readonly AgentFact[] {
  return [...(current ? [current] : []), ...queue]
    .filter(({ taskId }) => only === undefined || taskId === only)
    .map(({ taskId }) => ({
      type: 'TaskCancelled',
      data: {
        taskId,
        reason,
        ...(current?.taskId === taskId && current.call && { running: true }),
        ...(by && { by }),
      },
    }))
}
