/** A store that is looked at now and then, for as long as one likes. It is open here only while it is looked at. */
import { setTimeout as delay } from 'node:timers/promises'
import { OwnerUnavailable } from '../events/owner-errors.ts'
import { Orchestrator } from '../orchestrator.ts'
import { writtenUpTo } from './live-log.ts'
import { connectOwner } from './owner-client.ts'
import { NOBODY } from './remote-orchestrator.ts'
import { type Access, accessStore } from './store-access.ts'

export interface WatchedStore {
  /** While nobody has the store open and nothing is written, it is what was seen last. */
  look<Seen>(see: (orchestrator: Orchestrator, owner: number | null) => Promise<Seen>): Promise<Seen>
  close(): Promise<void>
}

/** A service that is started again has its store in that time, and is not got in the way of. */
const NEXT_OWNER_MS = 500

export function watchStore(baseDir: string): WatchedStore {
  let access: Access | undefined
  let seen: { readonly value: unknown; readonly position: number } | undefined
  const open = () => Orchestrator.open({ baseDir, resume: 'on-demand', serve: false, runner: NOBODY })
  const close = async () => {
    const { orchestrator } = access ?? {}
    access = undefined
    await orchestrator?.close()
  }
  const isStill = async () => {
    const client = await connectOwner(baseDir)
    client?.close()
    return !client && (await writtenUpTo(baseDir)) === seen?.position
  }
  return {
    async look(see) {
      for (;;) {
        if (!access && seen && (await isStill())) return seen.value as never
        try {
          access ??= await accessStore(baseDir, open)
          const value = await see(access.orchestrator, access.owner)
          if (access.owner === null) {
            await close()
            seen = { value, position: await writtenUpTo(baseDir) }
          }
          return value
        } catch (error) {
          await close()
          if (!(error instanceof OwnerUnavailable)) throw error
        }
        await delay(NEXT_OWNER_MS)
      }
    },
    close,
  }
}
