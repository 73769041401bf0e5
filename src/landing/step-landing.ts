/** The work of a step of a run, until it has landed. */
import { TaskCancelledError } from '../events/errors/task.ts'
import { WorkNotLandedError } from '../events/errors/workspace.ts'
import type { Landings, LandOptions } from './landings.ts'

/** Resolves when the work of an agent has landed. Rejects if it does not, or when the signal aborts. */
export type LandWork = (
  agent: string,
  options: LandOptions & { readonly requestId: string; readonly runId: string },
  signal: AbortSignal,
) => Promise<void>

/** Asked for again under the same id, it waits for what was queued then. */
export async function landStep(
  landings: Pick<Landings, 'land' | 'settled'>,
  ...[agent, { runId, ...options }, signal]: Parameters<LandWork>
): Promise<void> {
  const stopped = new Promise<never>((_, reject) => {
    const stop = () =>
      reject(new TaskCancelledError({ agent, taskId: options.requestId, reason: String(signal.reason) }))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
  })
  const landing = async () => {
    for (const { entry } of await landings.land([agent], options, runId)) {
      const { status, reason } = await landings.settled(entry)
      if (status !== 'landed') throw new WorkNotLandedError({ agent, reason })
    }
  }
  await Promise.race([landing(), stopped])
}
