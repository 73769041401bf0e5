/** Saying yes or no to a task that waits for it: pure decisions of its agent. */
import type { AgentFact } from '../../../events/agent-facts.ts'
import { TaskNotHeldError, TaskRejectedError } from '../../../events/errors/hold.ts'
import { callErrorData } from '../../../events/errors/recorded.ts'
import type { AgentContext } from '../state.ts'

/** Who says it. */
export interface Verdict {
  /** A person or a program; it is kept in the log. */
  readonly by?: string
}

/** Who rejects a task, and why. */
export interface Rejection extends Verdict {
  readonly reason?: string
}

/** Throws TaskNotHeldError where the task does not wait for it. */
export function approveTask(context: AgentContext, taskId: string, { by }: Verdict): readonly AgentFact[] {
  checkAwaits(context, taskId)
  return [{ type: 'TaskApproved', data: { taskId, by: by ?? null } }]
}

/** Throws TaskNotHeldError where the task does not wait for it. */
export function rejectTask(
  context: AgentContext,
  agent: string,
  taskId: string,
  { by = '', reason = '' }: Rejection,
): readonly AgentFact[] {
  checkAwaits(context, taskId)
  const error = callErrorData(new TaskRejectedError({ agent, taskId, by, reason }))
  return [{ type: 'TaskFailed', data: { taskId, error, fatal: false } }]
}

function checkAwaits({ queue }: AgentContext, taskId: string): void {
  const awaits = queue.some((task) => task.taskId === taskId && task.hold?.reason === 'approval')
  if (!awaits) throw new TaskNotHeldError({ taskId })
}
