/** A store that is looked at now and then, for as long as one likes. It is open here only while it is looked at. */
import { setTimeout as delay } from 'node:timers/promises'
import { OwnerUnavailable } from '../events/errors/owner.ts'
import { Orchestrator } from '../orchestrator.ts'
import { accessStore } from './access.ts'
import { connectOwner } from './client.ts'
import { writtenUpTo } from './live-log.ts'
import { NOBODY } from './orchestrator.ts'

export interface WatchedStore {
  /** While nobody has the store open and nothing is written, it is what was seen last. */
  look<Seen>(see: (orchestrator: Orchestrator, owner: number | null) => Promise<Seen>): Promise<Seen>
}

/** A service that is started again has its store in that time, and is not got in the way of. */
const NEXT_OWNER_MS = 500

export function watchStore(baseDir: string): WatchedStore {
  /** What was seen while nobody had the store open. */
  let seen: { readonly value: unknown; readonly position: number } | undefined
  const open = () => Orchestrator.open({ baseDir, resume: 'on-demand', serve: false, runner: NOBODY })
  const isStill = async () => {
    const client = await connectOwner(baseDir)
    client?.close()
    return !client && (await writtenUpTo(baseDir)) === seen?.position
  }
  return {
    async look(see) {
      for (;;) {
        if (seen && (await isStill())) return seen.value as never
        seen = undefined
        const { orchestrator, owner } = await accessStore(baseDir, open)
        try {
          const value = await see(orchestrator, owner)
          if (owner === null) seen = { value, position: await orchestrator.store.head() }
          return value
        } catch (error) {
          if (!(error instanceof OwnerUnavailable)) throw error
        } finally {
          await orchestrator.close()
        }
        await delay(NEXT_OWNER_MS)
      }
    },
  }
}
