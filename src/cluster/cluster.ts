/** The cluster as a process without agents sees it: the log, and the way to the workers. */
import * as ManagedRuntime from 'effect/ManagedRuntime'
import type { Placement } from '../actors/agent/ref.ts'
import type { EventStore } from '../store/event-store.ts'
import { postgresStore } from '../store/postgres/store.ts'
import { withClaims } from './claims.ts'
import { ClusterClient, clusterPlacement } from './client.ts'
import { engineLayer } from './engine.ts'
import type { ClusterOptions } from './options.ts'

export async function joinCluster({ database }: ClusterOptions): Promise<{
  readonly store: EventStore
  readonly placement: Placement
}> {
  const { store } = withClaims(await postgresStore(database, { access: 'shared' }))
  const runtime = ManagedRuntime.make(await engineLayer({ database, drainMs: 0 }))
  const client = new ClusterClient(runtime)
  return {
    placement: clusterPlacement(client),
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
