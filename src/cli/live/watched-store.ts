/** A store that is read every now and then, and is open here only while it is being read. */
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Orchestrator } from '../../orchestrator.ts'
import { connectOwner, isOwnersEnd } from '../../remote/client.ts'
import { recordedHead } from '../../remote/live-log.ts'
import { accessForReading } from '../access.ts'
import { placeOfLog } from '../existing-store.ts'
import type { GlobalOptions } from '../global-options.ts'

/** The pid of the process that has the store open, null if none has; undefined in a database, where that is not known. */
export type OwnerPid = number | null | undefined

export interface WatchedStore {
  /**
   * Calls `read` with the store and returns its result. While no process has the store open and nothing has been written,
   * returns the last result without opening the store.
   */
  look<Result>(read: (orchestrator: Orchestrator, owner: OwnerPid) => Promise<Result>): Promise<Result>
}

/** Before another process is looked for, when the one that was asked has ended. */
const RETRY_MS = 100

export function watchStore(globals: Pick<GlobalOptions, 'baseDir' | 'database'>): WatchedStore {
  const { baseDir, database } = globals
  const place = placeOfLog(globals)
  /** The last result that was read while no other process had the store open. */
  let cached: { readonly value: unknown; readonly position: number } | undefined
  const isUnchanged = async () => {
    const client = database === undefined ? await connectOwner(place) : null
    client?.close()
    return !client && (await recordedHead(place)) === cached?.position
  }
  return {
    async look(read) {
      for (;;) {
        if (cached && (await isUnchanged())) return cached.value as never
        cached = undefined
        const { orchestrator, owner } = await accessForReading(resolve(baseDir), { database })
        try {
          const value = await read(orchestrator, database === undefined ? owner : undefined)
          if (owner === null) cached = { value, position: await orchestrator.store.head() }
          return value
        } catch (error) {
          if (!isOwnersEnd(error)) throw error
        } finally {
          await orchestrator.close()
        }
        await delay(RETRY_MS)
      }
    },
  }
}
