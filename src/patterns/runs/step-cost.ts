/** What a step without an answer has cost. */
import type { Agent } from '../../actors/agent/agent.ts'

/** Nothing if its calls cost nothing, or if that cannot be read: a figure must not keep a step from ending. */
export async function stepCost(
  worker: Agent,
  taskId: string,
): Promise<{ readonly costUsd?: number; readonly tokens?: number }> {
  try {
    const { costUsd, tokens } = await worker.spentOn(taskId)
    return costUsd > 0 || tokens > 0 ? { costUsd, tokens } : {}
  } catch {
    return {}
  }
}
