/** Whoever has a store: its owner, if another process has it open, or else this process itself. */
import { setTimeout as delay } from 'node:timers/promises'
import { StoreInUse } from '../events/errors/store.ts'
import type { Orchestrator } from '../orchestrator.ts'
import { connectOwner } from './client.ts'
import { remoteOrchestrator } from './orchestrator.ts'

export interface Access {
  readonly orchestrator: Orchestrator
  /** The process that has the store open; null where it is this one. */
  readonly owner: number | null
}

/** An owner that opens or closes the store has it, and cannot be reached: not for long. */
const PATIENCE_MS = 2000
const LOOK_AGAIN_MS = 25

/**
 * Connects to the owner of a store where there is one, and else opens the store.
 *
 * @throws StoreInUse where its owner does not serve, and what opening and connecting can throw
 */
export function accessStore(baseDir: string, open: () => Promise<Orchestrator>): Promise<Access> {
  return patiently(async () => {
    const client = await connectOwner(baseDir)
    if (client) return { orchestrator: await remoteOrchestrator(client), owner: client.pid }
    return { orchestrator: await open(), owner: null }
  })
}

/** Tries again for a moment while somebody else has the store open. */
export async function patiently<T>(open: () => Promise<T>): Promise<T> {
  for (let left = PATIENCE_MS; ; left -= LOOK_AGAIN_MS) {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof StoreInUse) || left <= 0) throw error
    }
    await delay(LOOK_AGAIN_MS)
  }
}
