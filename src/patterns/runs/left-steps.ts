/** Steps that were begun and that nobody waits for any more: after a crash, the losers of a race that had been won. */
import type { AgentSystem } from '../../actors/agent/system.ts'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { TaskCancelledError } from '../../events/errors/task.ts'
import type { RunFact } from '../../events/run-facts.ts'
import type { RecordedStep } from './recorded-steps.ts'

/**
 * Calls off what they have begun. Returns the facts for that.
 *
 * @param forGood The run is not gone on with. Otherwise a step whose task has been answered stays open: that answer is
 * there for whoever goes on with the run.
 */
export async function callOff(
  agents: AgentSystem,
  steps: Iterable<RecordedStep>,
  { reason, forGood }: { readonly reason: string; readonly forGood: boolean },
): Promise<readonly RunFact[]> {
  const facts: RunFact[] = []
  for (const { state, stepKey, agent, worker, taskId } of steps) {
    if (state !== 'scheduled') continue
    const wasOpen = await cancelled(agents, worker, taskId, reason)
    if (!wasOpen && !forGood) continue
    const error = callErrorData(new TaskCancelledError({ agent: worker, taskId, reason }))
    facts.push({ type: 'StepFailed', data: { stepKey, agent, error, cancelled: true } })
  }
  return facts
}

async function cancelled(agents: AgentSystem, worker: string, taskId: string, reason: string) {
  try {
    return await (await agents.get(worker)).cancel(taskId, reason)
  } catch (error) {
    // Whoever is gone has nothing to do.
    if (error instanceof AgentNotFoundError) return false
    throw error
  }
}

/** The agents of whom copies had begun steps. */
export const copiedAgents = (steps: Iterable<RecordedStep>): Set<string> =>
  new Set([...steps].flatMap(({ agent, worker }) => (worker === agent ? [] : [agent])))
