/** Serves an orchestrator to other processes, where the platform allows it. */
import type { Logger } from '../logger.ts'
import type { EventStore } from '../store/event-store.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import type { OwnedSystem } from './served-commands.ts'
import type { OwnerSocket } from './socket.ts'

export type { OwnerSocket }

/**
 * Starts the owner's socket; undefined if that fails, which is logged and does not stop the orchestrator from opening.
 *
 * @param prepare Called before the first command of another process that changes something.
 */
export async function serveOthers(
  system: OwnedSystem,
  baseDir: string,
  store: EventStore,
  prepare: () => Promise<void>,
  logger: Logger,
): Promise<OwnerSocket | undefined> {
  // On Windows a client could not check who owns the pipe.
  if (process.platform === 'win32') return undefined
  try {
    const { serveOwner } = await import('./socket.ts')
    return await serveOwner({ baseDir, store: store as ChainedStore, system, prepare, logger })
  } catch (error) {
    logger.warn({ baseDir, error }, 'other processes cannot use this store: the socket could not be created')
    return undefined
  }
}
