/** Agents on several machines: `claude-multi-agent/cluster`. It needs Node 22.19, `pg`, `@effect/sql-pg` and `@effect/platform-node`. */
import type { ClusterWorker, WorkerOptions } from '../cluster/options.ts'
import { loaded } from '../cluster/requirements.ts'
import { Orchestrator } from '../orchestrator.ts'

export type { ClusterOptions, ClusterWorker, WorkerOptions } from '../cluster/options.ts'

/**
 * Opens a worker: agents live in it as long as it is open. See docs/cluster.md. Throws InvalidInputError for a Node that is
 * too old, a package that is missing or an address that cannot be used, WorkerNameTaken, and what opening a store throws.
 *
 * @example
 * const worker = await openWorker({ database: 'postgresql://127.0.0.1/agents', baseDir: '.worker' })
 * process.once('SIGTERM', () => worker.close())
 */
export async function openWorker(options: WorkerOptions): Promise<ClusterWorker> {
  const { openClusterWorker } = await loaded(() => import('../cluster/worker.ts'))
  return openClusterWorker(Orchestrator, options)
}
