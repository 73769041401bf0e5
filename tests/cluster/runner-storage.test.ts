/** What the engine is told of workers, and how it lets go of shards. Nothing here needs the engine. */
import * as Effect from 'effect/Effect'
import { expect, test } from 'vitest'
import { carefulStorage } from '../../src/cluster/runner-storage.ts'

const SHARDS = ['default:1', 'default:2', 'default:3']
/** Longer than anything here takes that waits for nothing. */
const turn = async () => {
  for (let left = 10; left > 0; left--) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Everything that asks waits until the test lets it go on. */
function storageOf(known?: ReadonlySet<string>) {
  const releases: { readonly shard: string; readonly done: () => void }[] = []
  const empty = new Map<string | undefined, () => void>()
  const waiting = (shard: string) =>
    Effect.promise(() => new Promise<void>((done) => releases.push({ shard, done })))
  const runner = (port: number) => ({ address: { host: '10.0.0.1', port } })
  const inner = {
    getRunners: Effect.succeed([
      [runner(1), true],
      [runner(2), true],
      [runner(3), false],
    ]),
    release: (_: unknown, shard: unknown) => waiting(String(shard)),
    releaseAll: () => waiting('all'),
  }
  const storage = carefulStorage(inner as never, {
    whenEmpty: (shard) => new Promise<void>((resolve) => empty.set(shard, resolve)),
    known: async () => known,
  })
  return { storage, releases, empty }
}

test('A shard is let go of when nothing of it is in this process, and all are when nothing is', async () => {
  const { storage, releases, empty } = storageOf()
  const [shard = ''] = SHARDS
  const one = Effect.runPromise(storage.release({} as never, shard as never))
  await turn()
  expect(releases).toEqual([])
  empty.get(shard)?.()
  await turn()
  releases[0]?.done()
  await one
  const all = Effect.runPromise(storage.releaseAll({} as never))
  await turn()
  expect(releases.map((each) => each.shard)).toEqual([shard])
  empty.get(undefined)?.()
  await turn()
  releases[1]?.done()
  await all
})

test('Shards are let go of one after the other: none counts the time that others take as its own', async () => {
  const { storage, releases, empty } = storageOf()
  const all = SHARDS.map((shard) => Effect.runPromise(storage.release({} as never, shard as never)))
  await turn()
  for (const emptied of empty.values()) emptied()
  for (const begun of SHARDS.keys()) {
    await turn()
    expect(releases.length).toBe(begun + 1)
    releases[begun]?.done()
  }
  await Promise.all(all)
})

test('A worker whose process has ended has no shards, whatever the engine knows of it', async () => {
  const { storage } = storageOf(new Set(['10.0.0.1:1', '10.0.0.1:3', '10.0.0.1:9']))
  const runners = await Effect.runPromise(storage.getRunners)
  expect(runners.map(([{ address }, isHealthy]) => [address.port, isHealthy])).toEqual([
    [1, true],
    [2, false],
    [3, false],
  ])
})
