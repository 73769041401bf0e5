/** How a worker gets what another one had: it waits until that one has let go of it, is known to have ended, or had its time. */
import { type Clock, pause, steadyTime } from '../../clock.ts'
import { Fenced } from '../../events/errors/store.ts'
import type { Logger } from '../../logger.ts'
import type { PostgresStore } from '../../store/postgres/store.ts'
import type { ClaimWay } from './claims.ts'
import type { OtherLeases, OwnLease } from './lease.ts'

/** Between two looks at what another worker has. */
const LOOK_MS = 500

interface LeasedEnvironment {
  readonly store: Pick<PostgresStore, 'claimAfter' | 'release'>
  readonly own: OwnLease
  readonly others: OtherLeases
  readonly clock: Clock
  readonly logger: Pick<Logger, 'warn'>
}

export function leased({ store, own, others, clock, logger }: LeasedEnvironment): ClaimWay {
  const release = (stream: string, token: string) => store.release(stream, token)
  return {
    release,
    async take(stream, isWanted) {
      let over: string | undefined
      let waitsFor: string | undefined
      while (isWanted()) {
        // Others may see this claim before a heartbeat that is answered meanwhile.
        const { expiresAt } = own
        const askedAt = steadyTime(clock)
        const holder = await store.claimAfter(stream, over)
        const answeredAt = steadyTime(clock)
        if (typeof holder === 'string') {
          if (answeredAt <= expiresAt) return holder
          await release(stream, holder).catch(() => {})
          throw new Fenced({ stream })
        }
        const { worker, epoch, beat, token } = holder
        over = others.observe(epoch, beat, { askedAt, answeredAt }) ? token : undefined
        if (over !== undefined) continue
        if (waitsFor !== worker)
          logger.warn({ stream, worker }, 'another worker may be at work for it, so it waits')
        waitsFor = worker
        await pause(clock, LOOK_MS)
      }
      return undefined
    },
  }
}
