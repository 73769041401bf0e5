/** Access to a store: through its owner if another process has it open, otherwise by opening it here. */
import type { Orchestrator } from '../orchestrator.ts'
import { connectOwner } from './client.ts'
import { remoteOrchestrator } from './orchestrator.ts'
import { retryWhileInUse } from './retry.ts'

export interface Access {
  readonly orchestrator: Orchestrator
  /** The process that has the store open; null if it is this one. */
  readonly owner: number | null
  /** What answers the owner's calls: see `AgentRunner.name`. null if the owner is this process. */
  readonly runner: string | null
}

/**
 * Connects to the owner of a store if there is one, otherwise opens the store.
 *
 * @throws StoreInUse if its owner does not serve other processes, and what opening and connecting can throw
 */
export function accessStore(baseDir: string, open: () => Promise<Orchestrator>): Promise<Access> {
  return retryWhileInUse(async () => {
    const client = await connectOwner(baseDir)
    if (client) {
      const { pid, greeting } = client
      return { orchestrator: await remoteOrchestrator(client), owner: pid, runner: greeting.runner }
    }
    return { orchestrator: await open(), owner: null, runner: null }
  })
}
