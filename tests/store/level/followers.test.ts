/** Many followers of one log: they share what is read for them, and a writer does not wait for them. */
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { Recorded } from '../../../src/events/envelope.ts'
import { silentLogger } from '../../../src/logger.ts'
import { serveOwner } from '../../../src/owner/socket.ts'
import { remoteStore } from '../../../src/remote/store.ts'
import { Following, Watermark } from '../../../src/store/follow.ts'
import type { OpenDatabase } from '../../../src/store/level/database.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { connected, WITHOUT_RUNS } from '../../owner/kit.ts'
import { repetitions } from '../../repetitions.ts'
import { countedTo, faultyDatabase } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const FACTS = 4000
const FOLLOWERS = 64

/** A store, and how many records LevelDB has read for it in pages. */
async function filledStore(facts = FACTS) {
  const reads = { records: 0 }
  const faulty = faultyDatabase()
  const openDatabase: OpenDatabase = async (path, options) => {
    const database = await faulty.open(path, options)
    // A disk on which a write takes as long as reading many pages.
    faulty.duringWrite = async () => {
      for (let trip = 0; trip < 100; trip++) await database.get('nothing')
    }
    const iterator = database.iterator.bind(database) as (
      ...range: unknown[]
    ) => ReturnType<typeof database.iterator>
    const counting = (...range: unknown[]) => {
      const made = iterator(...range)
      const next = made.nextv.bind(made) as (size: number) => Promise<[string, string][]>
      made.nextv = (async (size: number) => {
        const found = await next(size)
        reads.records += found.length
        return found
      }) as typeof made.nextv
      return made
    }
    return Object.assign(database, { iterator: counting })
  }
  const baseDir = await temporaryDirectory()
  const store = await levelStore(baseDir, { openDatabase })
  onTestFinished(() => store[Symbol.asyncDispose]())
  await store.append('note/a', countedTo(facts))
  reads.records = 0
  return { baseDir, store, reads }
}

async function firstOf(facts: AsyncIterable<Recorded>, count: number): Promise<number[]> {
  const positions: number[] = []
  for await (const { position } of facts) if (positions.push(position) === count) break
  return positions
}

const upTo = (last: number, first = 1) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

test('64 followers from position 0 read each page of the log once', async () => {
  const { store, reads } = await filledStore()
  const followed = await Promise.all(upTo(FOLLOWERS).map(() => firstOf(store.follow(), FACTS)))
  for (const positions of followed) expect(positions).toEqual(upTo(FACTS))
  expect(reads.records).toBe(FACTS)
})

test('64 followers of other processes read each page of the log once', async () => {
  const { baseDir, store, reads } = await filledStore()
  const system = { ...WITHOUT_RUNS, agent: () => Promise.reject(new Error('there is none')) }
  const socket = await serveOwner({ baseDir, store, system, logger: silentLogger })
  onTestFinished(() => socket.close())
  const followers = upTo(FOLLOWERS).map(async () => remoteStore(await connected(baseDir)))
  const stores = await Promise.all(followers)
  const followed = await Promise.all(stores.map((each) => firstOf(each.follow(), FACTS)))
  for (const positions of followed) expect(positions).toEqual(upTo(FACTS))
  // They do not begin at the same moment.
  expect(reads.records).toBeLessThan(4 * FACTS)
})

test('An append waits for two pages at most, however many followers are behind', async () => {
  const { store, reads } = await filledStore()
  const delivered = upTo(FOLLOWERS).map(() => 0)
  const following = delivered.map(async (_, follower) => {
    // Each at a place of its own.
    for await (const { position } of store.follow({ after: follower * 50 })) {
      delivered[follower] = position
      if (position === FACTS + 5) return
    }
  })
  for (const n of upTo(5)) {
    const before = reads.records
    await store.append('note/b', countedTo(1))
    expect(reads.records - before, `append ${n}`).toBeLessThanOrEqual(2 * 128)
  }
  expect(Math.min(...delivered)).toBeLessThan(FACTS)
  await Promise.all(following)
})

test('A page that could not be read is read again for the next follower', async () => {
  const store = await levelStore(await temporaryDirectory())
  await using _ = store
  await store.append('note/a', countedTo(3))
  const watermark = new Watermark()
  watermark.advance(3)
  let isBroken = true
  const following = new Following(
    {
      async *readAll(range) {
        if (isBroken) throw new Error('too many open files')
        yield* store.readAll(range)
      },
    },
    watermark,
  )
  const stay = new AbortController()
  const other = following.facts({ after: 3, signal: stay.signal }).next()
  const first = async () => (await following.facts().next()).value?.position
  await expect(first()).rejects.toThrow('too many open files')
  isBroken = false
  expect(await first()).toBe(1)
  stay.abort()
  await other
})

test('Followers that begin anywhere, while facts are appended, get each fact once and in order', async () => {
  const places = fc.array(fc.nat(700), { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(
      places,
      fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 5 }),
      async (from, more) => {
        const { store } = await filledStore(700)
        const last = 700 + more.reduce((sum, count) => sum + count, 0)
        const followed = from.map((after) =>
          after === last ? Promise.resolve([]) : firstOf(store.follow({ after }), last - after),
        )
        for (const count of more) await store.append('note/b', countedTo(count))
        for (const [follower, after] of from.entries())
          expect(await followed[follower]).toEqual(after === last ? [] : upTo(last, after + 1))
      },
    ),
    { numRuns: repetitions('FOLLOWERS', { short: 6, long: 100 }) },
  )
})
