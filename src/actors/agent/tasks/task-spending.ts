/** What a task has cost: its calls, added up from the log. */
import { addUsage, NO_USAGE } from '../../../claude/usage.ts'
import { agentFacts } from '../../../events/agent-facts.ts'
import { spendingIn } from '../../../events/spending.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { Reply } from './handle.ts'

export type TaskSpending = Pick<Reply, 'costUsd' | 'tokens' | 'usage'>

/** What the call that a fact ends has cost. */
export function taskSpending(data: object): TaskSpending {
  const { costUsd = 0, tokens = 0, usage = NO_USAGE } = spendingIn({ data }) ?? {}
  return { costUsd, tokens, usage }
}

/** What the calls of a task have cost, without what was known only after its task had ended. */
export async function spentOnTask(store: EventStore, stream: string, taskId: string): Promise<TaskSpending> {
  let spent = taskSpending({})
  for await (const recorded of store.read(stream, { direction: 'backwards' })) {
    if (recorded.data.taskId !== taskId) continue
    const { type, data } = agentFacts.read(recorded)
    if (type === 'TaskAccepted') break
    if (type === 'LateAnswerRecorded' || type === 'LateCostRecorded') continue
    const { costUsd, tokens, usage } = taskSpending(data)
    spent = {
      costUsd: spent.costUsd + costUsd,
      tokens: spent.tokens + tokens,
      usage: addUsage(spent.usage, usage),
    }
  }
  return spent
}
