/** Serves an orchestrator to other processes, where the platform allows it. */
import type { EventStore } from '../store/event-store.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import type { Owned, OwnerSocket } from './socket.ts'

export type { OwnerSocket }

/** Starts the owner's socket; undefined if that fails, which is logged and does not stop the orchestrator from opening. */
export async function serveOthers({
  store,
  ...owned
}: Omit<Owned, 'store'> & { readonly store: EventStore }): Promise<OwnerSocket | undefined> {
  // On Windows a client could not check who owns the pipe.
  if (process.platform === 'win32') return undefined
  try {
    const { serveOwner } = await import('./socket.ts')
    return await serveOwner({ ...owned, store: store as ChainedStore })
  } catch (error) {
    const { baseDir, logger } = owned
    logger.warn({ baseDir, error }, 'other processes cannot use this store: the socket could not be created')
    return undefined
  }
}
