/** The name of a worker, which one at a time has. */
import { type Clock, pause, steadyTime } from '../../clock.ts'
import { WorkerNameTaken } from '../../events/errors/owner.ts'
import type { Logger } from '../../logger.ts'
import type { NewWorker, OtherWorker, WorkerTable } from '../worker-table.ts'
import { LEASE_MS, type OtherLeases } from './lease.ts'
import { BEAT_MS } from './presence.ts'

/** For longer than a lease: one that was killed keeps its name until it is certain that it has ended. */
const TRIES = Math.ceil((1.6 * LEASE_MS) / BEAT_MS)

interface Naming {
  readonly members: Pick<WorkerTable, 'join' | 'others'>
  readonly others: OtherLeases
  readonly clock: Clock
  readonly logger: Pick<Logger, 'warn'>
}

/**
 * Says that a worker lives, as soon as no other one has its name. Resolves with when that was said, by the steady clock.
 *
 * @throws WorkerNameTaken if the other one goes on living
 */
export async function takeName(
  worker: NewWorker,
  { members, others, clock, logger }: Naming,
): Promise<number> {
  const { name } = worker
  let other: OtherWorker | undefined
  let over: OtherWorker | undefined
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const saidAt = steadyTime(clock)
    if (await members.join(worker, over)) return saidAt
    const askedAt = steadyTime(clock)
    other = (await members.others(worker.epoch)).find((each) => each.worker === name)
    const asked = { askedAt, answeredAt: steadyTime(clock) }
    over = other && others.observe(other.epoch, other.beat, asked) ? other : undefined
    if (attempt === 1)
      logger.warn(
        { worker: name, address: other?.address },
        'another worker has this name, so this one waits until that has left',
      )
    await pause(clock, BEAT_MS)
  }
  throw new WorkerNameTaken({ worker: name, address: other?.address ?? worker.address })
}
