/** What the runs are doing now that the log has as running: executed by this process, held, or waiting for a process. */
import type { AgentSystem } from '../../actors/agent/system.ts'
import type { RunInfo } from './options.ts'

/** @param isActive Whether this process executes the run. */
export async function atPresent<Info extends RunInfo>(
  runs: readonly Info[],
  agents: AgentSystem,
  isActive: (runId: string) => boolean,
): Promise<readonly Info[]> {
  if (!runs.some(({ status }) => status === 'running')) return runs
  const held = await heldSteps(agents)
  return runs.map((run) => {
    const { runId, status, steps, done } = run
    if (status !== 'running') return run
    const isHeld = steps > done && held.get(runId) === steps - done
    return { ...run, status: isHeld ? 'held' : isActive(runId) ? 'running' : 'waiting' }
  })
}

/** How many steps of each run are held. Looks only at agents that have held tasks. */
async function heldSteps(agents: AgentSystem): Promise<ReadonlyMap<string, number>> {
  const steps = new Map<string, number>()
  for (const { id, held } of await agents.list({ open: true })) {
    if (held === 0) continue
    const { queue } = (await agents.stateOf(id)).context
    for (const { runId, hold } of queue)
      if (hold !== undefined && runId !== undefined) steps.set(runId, (steps.get(runId) ?? 0) + 1)
  }
  return steps
}
