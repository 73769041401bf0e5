/** A held task: what it waits for, in words, and the decisions to approve or reject it. */
import type { AgentFact, Hold } from '../../../events/agent-facts.ts'
import { TaskNotHeldError, TaskRejectedError } from '../../../events/errors/hold.ts'
import { callErrorData } from '../../../events/errors/recorded.ts'
import { dollars } from '../../../events/figures.ts'
import type { Limit } from '../../../events/options/budget.ts'
import type { BudgetInfo } from '../../admission/budget-ledger.ts'
import { nameOfBudget } from '../../admission/budget-scope.ts'
import type { Budgets } from '../../admission/budgets.ts'
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

/** @param budget The budget that has no room for it. */
export function heldTask(
  task: { readonly agent: string; readonly taskId: string; readonly runId?: string },
  hold: Hold,
  budget: BudgetInfo | null,
): HeldTask {
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
  const { usd, tokens } = hold
  return {
    ...{ agent, taskId, runId, reason: hold.reason, budget, estimate: { usd, tokens } },
    message: `${what}: its next call does not fit into ${budget ? inWords(budget, hold) : 'a budget'}.`,
    hint: `It resumes when the budget has room: claude-agents budget set${budget ? optionsOf(budget) : ''}`,
  }
}

/** The held tasks of a queue. */
export async function heldTasksIn(
  agent: string,
  queue: readonly QueuedTask[],
  budgets: Pick<Budgets, 'of'>,
): Promise<readonly HeldTask[]> {
  const tasks = queue.map(async ({ hold, ...task }) => {
    if (!hold) return []
    return [heldTask({ ...task, agent }, hold, hold.reason === 'budget' ? await budgets.of(hold) : null)]
  })
  return (await Promise.all(tasks)).flat()
}

/** `the budget: about $2.50 is needed, and $0.50 of $3.00 is left` */
function inWords(
  { scope, limit, remaining }: BudgetInfo,
  { usd, tokens }: Hold & { reason: 'budget' },
): string {
  const parts = [
    ...(isShort(remaining.usd, usd)
      ? [
          `about ${dollars(usd)} is needed, and ${dollars(Math.max(0, remaining.usd ?? 0))} of ${dollars(limit.usd ?? 0)} is left`,
        ]
      : []),
    ...(isShort(remaining.tokens, tokens)
      ? [
          `about ${tokens} tokens are needed, and ${Math.max(0, remaining.tokens ?? 0)} of ${limit.tokens} are left`,
        ]
      : []),
  ]
  return parts.length === 0 ? nameOfBudget(scope) : `${nameOfBudget(scope)}: ${parts.join('; ')}`
}

const isShort = (left: number | null, needed: number) => left !== null && (left <= 0 || needed > left)

function optionsOf({ scope: { agent, run }, limit }: { scope: BudgetInfo['scope']; limit: Limit }): string {
  const whose = agent !== undefined ? ` --agent ${agent}` : run !== undefined ? ` --run ${run}` : ''
  return `${whose}${limit.usd === null ? '' : ' --usd N'}${limit.tokens === null ? '' : ' --tokens N'}`
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
