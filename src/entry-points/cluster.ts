/** Agents on several machines: `claude-multi-agent/cluster`. It needs Node 22.19, `pg`, `@effect/sql-pg` and `@effect/platform-node`. */
import { openClusterWorker, type Worker, type WorkerOptions } from '../cluster/worker.ts'
import { Orchestrator } from '../orchestrator.ts'

export type { ClusterOptions } from '../cluster/options.ts'
export type { Worker, WorkerOptions } from '../cluster/worker.ts'

/** Opens a worker: agents live in it as long as it is open. */
export const openWorker = (options: WorkerOptions): Promise<Worker> => openClusterWorker(Orchestrator, options)
