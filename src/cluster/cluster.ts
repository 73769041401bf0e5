/** The cluster as a process without agents sees it: the log, and the way to the workers. */
import * as ManagedRuntime from 'effect/ManagedRuntime'
import type { Placement } from '../actors/agent/ref.ts'
import type { Logger } from '../logger.ts'
import type { EventStore } from '../store/event-store.ts'
import { postgresStore } from '../store/postgres/store.ts'
import { executionOf, withClaims } from './claims.ts'
import { ClusterClient, clusterPlacement } from './client.ts'
import { engineLayer } from './engine.ts'
import type { ClusterOptions } from './options.ts'

export async function joinCluster(
  { database }: ClusterOptions,
  logger: Logger,
): Promise<{ readonly store: EventStore; readonly placement: Placement }> {
  const log = withClaims(await postgresStore(database, { access: 'shared', logger }))
  const { store } = log
  const runtime = ManagedRuntime.make(await engineLayer({ database, drainMs: 0, logger }))
  const client = new ClusterClient(runtime)
  return {
    placement: { ...clusterPlacement(client), execute: (run) => log.claim(executionOf(run)) },
    store: {
      ...store,
      async [Symbol.asyncDispose]() {
        client.close()
        await runtime.dispose()
        await store[Symbol.asyncDispose]()
      },
    },
  }
}
