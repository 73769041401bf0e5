/** What the engine keeps of its workers and their shards, with three things that it does not see to by itself. */
import type { RunnerStorage } from 'effect/cluster'
import * as Effect from 'effect/Effect'
import * as Semaphore from 'effect/Semaphore'
import { addressText } from './options.ts'

type Storage = RunnerStorage.RunnerStorage['Service']

export interface Beyond {
  /** Resolves when nothing of a shard, or of any, is in this process. */
  readonly whenEmpty: (shard?: string) => Promise<unknown>
  /** The addresses of the workers that have not left, as far as is known; undefined if nothing is. Never rejects. */
  readonly known: () => Promise<ReadonlySet<string> | undefined>
}

/**
 * - The engine lets go of a shard without waiting for what it is just bringing to life in it. That would ask for what another
 *   worker has by then, and wait for it in vain.
 * - It lets go of many shards at once, over one connection, and gives that up, with all of its locks, if one of them takes too
 *   long. One after the other, each has its time.
 * - It finds out that a worker is gone by asking it for some seconds, from one of the workers. If that was the one, it takes
 *   as long as a lock lasts. The other workers know it at once.
 */
export function carefulStorage(storage: Storage, { whenEmpty, known }: Beyond): Storage {
  const oneAtATime = Semaphore.makeUnsafe(1).withPermits(1)
  const emptyOf = (shard?: string) => Effect.promise(() => whenEmpty(shard))
  return {
    ...storage,
    getRunners: Effect.flatMap(storage.getRunners, (runners) =>
      // Asked after that: a worker says that it lives before the engine knows of it.
      Effect.map(Effect.promise(known), (addresses) =>
        runners.map(
          ([runner, isHealthy]) =>
            [runner, isHealthy && (addresses?.has(addressText(runner.address)) ?? true)] as const,
        ),
      ),
    ),
    release: (address, shard) =>
      Effect.andThen(emptyOf(String(shard)), oneAtATime(storage.release(address, shard))),
    releaseAll: (address) => Effect.andThen(emptyOf(), storage.releaseAll(address)),
  }
}
