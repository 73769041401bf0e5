/** Steps that were scheduled but that nothing waits for any more, such as the losers of a race after a crash. */
import type { AgentSystem } from '../../actors/agent/system.ts'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { TaskCancelledError } from '../../events/errors/task.ts'
import type { RunFact } from '../../events/run-facts.ts'
import { type RecordedStep, stepCost } from './recorded-steps.ts'

/**
 * Cancels the tasks of those of the steps that are still scheduled. Returns the facts that record it.
 *
 * @param forGood Whether the run will never resume. If it may, a step whose task has been answered stays scheduled, so that
 * a resumed run finds the answer.
 */
export async function cancelAbandoned(
  agents: AgentSystem,
  steps: Iterable<RecordedStep>,
  { reason, forGood }: { readonly reason: string; readonly forGood: boolean },
): Promise<readonly RunFact[]> {
  const facts: RunFact[] = []
  for (const { state, stepKey, agent, worker, taskId } of steps) {
    if (state !== 'scheduled') continue
    const { wasOpen, cost } = await cancelTask(agents, worker, taskId, reason)
    if (!wasOpen && !forGood) continue
    const error = callErrorData(new TaskCancelledError({ agent: worker, taskId, reason }))
    facts.push({ type: 'StepFailed', data: { stepKey, agent, error, cancelled: true, ...cost } })
  }
  return facts
}

/** Whether the task was open, and what it has cost. */
async function cancelTask(agents: AgentSystem, id: string, taskId: string, reason: string) {
  try {
    const worker = await agents.get(id)
    return { wasOpen: await worker.cancel(taskId, reason), cost: await stepCost(worker, taskId) }
  } catch (error) {
    // A removed agent has no open tasks.
    if (error instanceof AgentNotFoundError) return { wasOpen: false, cost: {} }
    throw error
  }
}
