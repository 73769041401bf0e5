/** A store that is read every now and then, and is open here only while it is being read. */
import { setTimeout as delay } from 'node:timers/promises'
import { OwnerUnavailable } from '../../events/errors/owner.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { connectOwner } from '../../remote/client.ts'
import { recordedHead } from '../../remote/live-log.ts'
import { accessForReading } from '../access.ts'

export interface WatchedStore {
  /**
   * Calls `read` with the store and returns its result. While no process has the store open and nothing has been written,
   * returns the last result without opening the store.
   */
  look<Result>(read: (orchestrator: Orchestrator, owner: number | null) => Promise<Result>): Promise<Result>
}

/** Before another process is looked for, when the one that was asked has ended. */
const RETRY_MS = 100

export function watchStore(baseDir: string): WatchedStore {
  /** The last result that was read while no other process had the store open. */
  let cached: { readonly value: unknown; readonly position: number } | undefined
  const isUnchanged = async () => {
    const client = await connectOwner(baseDir)
    client?.close()
    return !client && (await recordedHead(baseDir)) === cached?.position
  }
  return {
    async look(read) {
      for (;;) {
        if (cached && (await isUnchanged())) return cached.value as never
        cached = undefined
        const { orchestrator, owner } = await accessForReading(baseDir)
        try {
          const value = await read(orchestrator, owner)
          if (owner === null) cached = { value, position: await orchestrator.store.head() }
          return value
        } catch (error) {
          if (!(error instanceof OwnerUnavailable)) throw error
        } finally {
          await orchestrator.close()
        }
        await delay(RETRY_MS)
      }
    },
  }
}
