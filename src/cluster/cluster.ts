/** The cluster as a process without agents sees it: the log, and the way to the workers. */
import * as ManagedRuntime from 'effect/ManagedRuntime'
import { inTime, systemClock } from '../clock.ts'
import type { Logger } from '../logger.ts'
import type { ClusterPlacement } from '../patterns/runs/run.ts'
import type { EventStore } from '../store/event-store.ts'
import { postgresStore } from '../store/postgres/store.ts'
import { ClusterClient, clusterPlacement } from './client.ts'
import { engineLayer } from './engine.ts'
import { engineTransport } from './entity.ts'
import { executionOf, withClaims } from './handover/claims.ts'
import { Addresses } from './labels/addresses.ts'
import type { ClusterOptions } from './options.ts'
import { clusterRuns } from './runs.ts'
import { WorkerTable } from './worker-table.ts'

/** How long the engine of a client may take to end. */
const ENDS_WITHIN_MS = 5000

export async function joinCluster(
  { database }: ClusterOptions,
  logger: Logger,
): Promise<{
  readonly store: EventStore
  readonly placement: ClusterPlacement
}> {
  const members = await WorkerTable.at(database)
  await members.checkProtocol().catch(async (error) => {
    await members.close()
    throw error
  })
  const log = withClaims(await postgresStore(database, { access: 'shared', logger }))
  const { store } = log
  const runtime = ManagedRuntime.make(
    await engineLayer({
      ...{ database, drainMs: 0, logger },
      whenEmpty: async () => {},
      known: () => members.addresses(),
    }),
  )
  const client = new ClusterClient(
    engineTransport(runtime, store.storeId),
    new Addresses({ members, logger }),
  )
  const runs = clusterRuns({
    ...{ client, store },
    owns: () => false,
    execute: (run) => log.claim(executionOf(run)),
    drivers: () => members.drivers(),
  })
  return {
    placement: { ...clusterPlacement(client), runs, claim: (stream) => log.claim(stream) },
    store: {
      ...store,
      async [Symbol.asyncDispose]() {
        client.close()
        // It hands nothing over, and a worker that does not answer does not keep it.
        await inTime(systemClock, runtime.dispose(), ENDS_WITHIN_MS, undefined)
        await members.close()
        await store[Symbol.asyncDispose]()
      },
    },
  }
}
