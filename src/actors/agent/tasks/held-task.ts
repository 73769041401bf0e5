/** A task that waits for somebody: why, and what to do about it, in words. */
import type { Hold } from '../../../events/agent-facts.ts'
import type { Limit } from '../../../events/options/budget.ts'
import type { BudgetInfo } from '../../admission/budget-ledger.ts'
import { nameOfBudget } from '../../admission/budget-scope.ts'
import type { Budgets } from '../../admission/budgets.ts'
import type { QueuedTask } from '../state.ts'

/** What is told of a held task. */
export interface HeldTask {
  readonly agent: string
  readonly taskId: string
  readonly runId: string | null
  readonly reason: Hold['reason']
  /** Why it waits, as a sentence. */
  readonly message: string
  /** How it goes on. */
  readonly hint: string
  /** What it does not fit into, as it stands. */
  readonly budget: BudgetInfo | null
  /** What its next call is reckoned to cost. */
  readonly estimate: { readonly usd: number; readonly tokens: number } | null
}

/** @param budget The one that it does not fit into. */
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
  const { usd, tokens } = hold
  return {
    ...{ agent, taskId, runId, reason: hold.reason, budget, estimate: { usd, tokens } },
    message: `${what}: its next call does not fit into ${budget ? inWords(budget, hold) : 'a budget'}.`,
    hint: `It goes on when there is room: claude-agents budget set${budget ? optionsOf(budget) : ''}.`,
  }
}

/** Those of a queue. */
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

/** `the budget: about $2.50, of $3.00 there is $0.50 left` */
function inWords(
  { scope, limit, remaining }: BudgetInfo,
  { usd, tokens }: Hold & { reason: 'budget' },
): string {
  const parts = [
    ...(isShort(remaining.usd, usd)
      ? [
          `about ${dollars(usd)} is needed, and of ${dollars(limit.usd ?? 0)} there is ${dollars(Math.max(0, remaining.usd ?? 0))} left`,
        ]
      : []),
    ...(isShort(remaining.tokens, tokens)
      ? [
          `about ${tokens} tokens are needed, and of ${limit.tokens} there are ${Math.max(0, remaining.tokens ?? 0)} left`,
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

/** To the cent, and what is less with as many digits as it needs. */
export const dollars = (amount: number): string =>
  `$${amount !== 0 && amount < 0.1 ? Number(amount.toPrecision(2)) : amount.toFixed(2)}`
