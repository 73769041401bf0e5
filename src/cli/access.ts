/** Access to a store: through its owner if another process has it open; otherwise by opening it here, or as a view of its files. */
import { OwnerStopping, OwnerUnavailable } from '../events/errors/owner.ts'
import { StoreInUse } from '../events/errors/store.ts'
import { Orchestrator } from '../orchestrator.ts'
import { connectOwner, isOwnersEnd, isUnserved } from '../remote/client.ts'
import { openLog } from '../remote/live-log.ts'
import { readingOrchestrator, remoteOrchestrator } from '../remote/orchestrator.ts'
import { retryWhileInUse } from '../remote/retry.ts'
import { readingView } from '../store/care/view.ts'
import { liveOwner } from '../store/level/lock.ts'
import type { LevelStoreOptions } from '../store/level/store.ts'

export { isOwnersEnd, isUnserved }

export interface Access {
  readonly orchestrator: Orchestrator
  /** The process that has the store open; null if it is this one. */
  readonly owner: number | null
  /** What answers the owner's calls: see `AgentRunner.name`. null if the owner is this process. */
  readonly runner: string | null
  /** Whether the owner has changed something for this process. */
  readonly isUsed: () => boolean
}

/**
 * Connects to the owner of a store if there is one, otherwise opens the store.
 *
 * @param asks Whether it is asked for answers, which an owner that is about to end gives no more.
 * @throws StoreInUse if its owner does not serve other processes, OwnerStopping, and what opening and connecting can throw
 */
export function accessStore(
  baseDir: string,
  open: () => Promise<Orchestrator>,
  { asks = false }: { readonly asks?: boolean } = {},
): Promise<Access> {
  return retryWhileInUse(async () => (await ownersAccess(baseDir, asks)) ?? ownAccess(await open()))
}

/** Access to what this process has opened itself. */
export const ownAccess = (orchestrator: Orchestrator): Access => ({
  orchestrator,
  owner: null,
  runner: null,
  isUsed: () => true,
})

/**
 * Connects to the owner of a store if there is one, otherwise reads a view of its files: a process that wants to open the
 * store meanwhile can.
 *
 * @param options With `database`, its URL: the log is there, and the base directory has the rest.
 * @throws what connecting can throw, and what the store's damage does
 */
export async function accessForReading(
  baseDir: string,
  { database, ...options }: LevelStoreOptions & { readonly database?: string | undefined } = {},
): Promise<Access> {
  if (database !== undefined) {
    const { store } = await openLog(database, options)
    const { readingPlacement } = await import('../cluster/reading.ts')
    return ownAccess(await readingOrchestrator(Orchestrator, baseDir, store, readingPlacement(database)))
  }
  const owners = await ownersAccess(baseDir, false)
  if (owners) return owners
  const view = await readingView(baseDir, options)
  const orchestrator = await readingOrchestrator(Orchestrator, baseDir, view)
  // An owner that serves nobody.
  const silent = await liveOwner(baseDir).catch(() => null)
  return { ...ownAccess(orchestrator), owner: silent?.pid ?? null }
}

/**
 * Connects to the owner of a store, which `start` starts where there is none.
 *
 * @throws StoreInUse if its owner does not serve other processes, and what starting and connecting can throw
 */
export function accessOwner(baseDir: string, start: () => Promise<unknown>): Promise<Access> {
  return retryWhileInUse(async () => {
    for (;;) {
      const owners = await ownersAccess(baseDir, true)
      if (owners) return owners
      await start().catch(async (error) => {
        const owner = await liveOwner(baseDir).catch(() => null)
        // Another process was quicker, and is about to serve.
        throw owner === null ? error : new StoreInUse({ path: baseDir, pid: owner.pid })
      })
    }
  })
}

/** The process that serves a store; null if there is none. */
export async function ownerOf(baseDir: string): Promise<number | null> {
  const client = await connectOwner(baseDir)
  client?.close()
  return client?.pid ?? null
}

async function ownersAccess(baseDir: string, asks: boolean): Promise<Access | null> {
  const client = await connectOwner(baseDir)
  if (client === null) return null
  const { pid, greeting } = client
  if (asks && greeting.stopping) {
    client.close()
    throw new OwnerStopping({ path: client.baseDir, pid })
  }
  try {
    const orchestrator = await remoteOrchestrator(Orchestrator, client)
    return { orchestrator, owner: pid, runner: greeting.runner, isUsed: () => client.isUsed }
  } catch (error) {
    client.close()
    if (!(error instanceof OwnerUnavailable)) throw error
    // It ended meanwhile.
    return ownersAccess(baseDir, asks)
  }
}
