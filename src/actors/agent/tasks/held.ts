/** A held task: what it waits for, in words, and the decisions to approve or reject it. */
import type { AgentFact, Hold } from '../../../events/agent-facts.ts'
import { TaskNotHeldError, TaskRejectedError } from '../../../events/errors/hold.ts'
import { callErrorData } from '../../../events/errors/recorded.ts'
import type { Admission, BudgetInfo } from '../../admission/admission.ts'
import type { AgentContext, QueuedTask } from '../state.ts'

/** A task that waits for an approval, for room in a budget, or for its account to be able to pay. */
export interface HeldTask {
  readonly agent: string
  readonly taskId: string
  readonly runId: string | null
  readonly reason: Hold['reason']
  /** Why it waits, as a sentence. */
  readonly message: string
  /** How to resume it. */
  readonly hint: string
  /** The budget that has no room for it, as it stands. */
  readonly budget: BudgetInfo | null
  /** The estimated cost of its next call; null unless it waits for a budget. */
  readonly estimate: { readonly usd: number; readonly tokens: number } | null
}

/** A held task as it is told. */
export async function heldTask(
  task: { readonly agent: string; readonly taskId: string; readonly runId?: string },
  hold: Hold,
  admission: Pick<Admission, 'explain'>,
): Promise<HeldTask> {
  const { agent, taskId, runId = null } = task
  const what = `Task ${taskId} of agent "${agent}" is held`
  if (hold.reason === 'approval') {
    return {
      ...{ agent, taskId, runId, reason: hold.reason, budget: null, estimate: null },
      message: `${what}: it needs approval${hold.note === null ? '' : ` (${hold.note})`}.`,
      hint: `claude-agents agent approve ${taskId}, or: claude-agents agent reject ${taskId} --reason "..."`,
    }
  }
  if (hold.reason === 'account') {
    return {
      ...{ agent, taskId, runId, reason: hold.reason, budget: null, estimate: null },
      message: `${what}: ${hold.said}`,
      hint: 'Nothing is sent until you say so. Add credit or raise the limit, then: claude-agents account resume',
    }
  }
  const { usd, tokens, reason } = hold
  const { message, hint, budget } = await admission.explain(hold)
  return {
    ...{ agent, taskId, runId, reason, budget, estimate: { usd, tokens } },
    message: `${what}: ${message}`,
    hint,
  }
}

/** The held tasks of a queue. */
export async function heldTasksIn(
  agent: string,
  queue: readonly QueuedTask[],
  admission: Pick<Admission, 'explain'>,
): Promise<readonly HeldTask[]> {
  const tasks = queue.flatMap(({ hold, ...task }) =>
    hold ? heldTask({ ...task, agent }, hold, admission) : [],
  )
  return Promise.all(tasks)
}

/** Who approves. */
export interface Verdict {
  /** A person or a program; it is recorded in the log. */
  readonly by?: string
}

/** Who rejects a task, and why. */
export interface Rejection extends Verdict {
  readonly reason?: string
}

/** Throws TaskNotHeldError unless the task needs approval. */
export function approveTask({ queue }: AgentContext, taskId: string, { by }: Verdict): readonly AgentFact[] {
  const needsApproval = queue.some((task) => task.taskId === taskId && task.hold?.reason === 'approval')
  if (!needsApproval) throw new TaskNotHeldError({ taskId })
  return [{ type: 'TaskApproved', data: { taskId, by: by ?? null } }]
}

/** Throws TaskNotHeldError unless the task is held, for whatever reason. */
export function rejectTask(
  { queue }: AgentContext,
  agent: string,
  taskId: string,
  { by = '', reason = '' }: Rejection,
): readonly AgentFact[] {
  if (!queue.some((task) => task.taskId === taskId && task.hold)) throw new TaskNotHeldError({ taskId })
  const error = callErrorData(new TaskRejectedError({ agent, taskId, by, reason }))
  return [{ type: 'TaskFailed', data: { taskId, error, fatal: false } }]
}
