/** Whether and how an orchestrator lets other processes work through it. */

import { type Logger, silentLogger } from '../logger.ts'
import type { EventStore } from '../store/event-store.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import type { OwnedSystem } from './served-commands.ts'
import type { OwnerSocket } from './socket.ts'

export type { OwnerSocket }

/** Undefined where it is not possible: that is a pity, and no reason not to open. */
export async function serveOthers(
  system: OwnedSystem,
  baseDir: string,
  store: EventStore,
  logger: Logger = silentLogger,
): Promise<OwnerSocket | undefined> {
  // Pipes of Windows have no owner that could be checked.
  if (process.platform === 'win32') return undefined
  try {
    const { serveOwner } = await import('./socket.ts')
    return await serveOwner({ baseDir, store: store as ChainedStore, system, logger })
  } catch (error) {
    logger.warn(
      { baseDir, error },
      'other processes cannot work through this one: its socket could not be made',
    )
    return undefined
  }
}
