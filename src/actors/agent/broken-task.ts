/** Ends a task of which an effect has failed for good: no failure leaves a task without an outcome until its deadline. */
import type { AgentFact } from '../../events/agent-facts.ts'
import { TaskBrokenError } from '../../events/errors/call.ts'
import { type ErrorData, errorData } from '../../events/errors/recorded.ts'
import { mayPass } from '../engine/insistence.ts'
import type { AgentEffect } from './decisions.ts'
import type { AgentActor, AgentEnvironment } from './environment.ts'
import type { AgentContext } from './state.ts'

/** The failure of a task, from whatever an effect threw. It is not retried: an answer may have been paid for. */
export function brokenBy(error: unknown): ErrorData {
  const said = error instanceof Error ? error.message : String(error)
  return errorData(new TaskBrokenError({ said }, { cause: error }))
}

/** Ends a task, with its call if it has one, unless it has ended. A queued task leaves its agent as it is. */
export function taskBroken(
  { current, queue }: AgentContext,
  taskId: string,
  error: ErrorData,
): readonly AgentFact[] {
  if (current?.taskId !== taskId) {
    if (!queue.some((task) => task.taskId === taskId)) return []
    return [{ type: 'TaskFailed', data: { taskId, error, fatal: false } }]
  }
  const { call } = current
  const failed: AgentFact = { type: 'TaskFailed', data: { taskId, error, fatal: true } }
  return call ? [{ type: 'CallFailed', data: { taskId, callId: call.callId, error } }, failed] : [failed]
}

/** Records that a task is broken. Throws the error if it may pass, or if nothing can be recorded. */
export async function endBrokenTask(
  actor: AgentActor,
  { logger }: Pick<AgentEnvironment, 'logger'>,
  taskId: string,
  error: unknown,
): Promise<void> {
  if (mayPass(error)) throw error
  logger.error({ stream: actor.stream, taskId, error }, 'a task is broken')
  try {
    await actor.decide(({ context }) => taskBroken(context, taskId, brokenBy(error)), {
      correlationId: taskId,
    })
  } catch (next) {
    throw mayPass(next) ? next : error
  }
}

/** The task that an effect works for; undefined for one that begins the next of several. */
export const taskOf = (effect: AgentEffect): string | undefined =>
  effect.type === 'begin' ? undefined : effect.task.taskId
