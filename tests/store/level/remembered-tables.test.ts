/** Tables that were read once are not read at the next opening, and yet no wrong fact comes out of a damaged one. */

import { randomBytes } from 'node:crypto'
import { copyFile, open as openFile, readdir, rm, stat, utimes } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { StoreDamaged } from '../../../src/events/errors/store.ts'
import { silentLogger } from '../../../src/logger.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { TableFile } from '../../../src/store/files/table-file.ts'
import { storePaths } from '../../../src/store/level/directory.ts'
import { checkBeforeOpening } from '../../../src/store/level/opening-check.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { repetitions } from '../../repetitions.ts'
import { temporaryDirectory } from '../temporary.ts'

const STREAMS = 40
/** How many bytes of a table are changed, one at a time: so many from all over it, and as many at its end. */
const SAMPLES = repetitions('ROTTEN_BYTES', { short: 3, long: 12 })

afterEach(() => vi.restoreAllMocks())

/** A closed store with several tables, and what its streams contain. */
async function storeWithTables(rounds = 4) {
  const directory = await temporaryDirectory()
  for (let round = 0; round < rounds; round++) {
    await using store = await levelStore(directory)
    for (let stream = 0; stream < STREAMS; stream++)
      await store.append(`agent/a${stream}`, [fact(`${round} ${stream} ${'x'.repeat(2000)}`)], {
        summary: { status: 'idle', open: false, info: { round } },
      })
  }
  // The log of the last owner becomes a table.
  await (await levelStore(directory))[Symbol.asyncDispose]()
  await (await levelStore(directory))[Symbol.asyncDispose]()
  return directory
}

const fact = (text: string) => ({
  type: 'Said',
  v: 1,
  data: { text },
  correlationId: null,
  causationId: null,
})

const tablesOf = async (directory: string) =>
  (await readdir(join(directory, 'log'))).filter((name) => /\.(ldb|sst)$/.test(name))

async function sizeOfTables(directory: string): Promise<number> {
  const tables = await tablesOf(directory)
  const sizes = await Promise.all(tables.map(async (name) => (await stat(join(directory, 'log', name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** Counts the tables that are read from here on, in part or whole. */
const countingTables = () => {
  const opened = vi.spyOn(TableFile, 'open')
  return () => new Set(opened.mock.calls.map(([path]) => basename(path))).size
}

/** Counts the bytes of tables that are read from here on. */
const countingBytes = () => {
  const read = vi.spyOn(TableFile.prototype, 'bytes')
  return () => read.mock.calls.reduce((sum, [, length]) => sum + length, 0)
}

/** Changes one byte, and nothing else that a file tells. */
async function rot(file: string, at: number) {
  const { atime, mtime } = await stat(file)
  const handle = await openFile(file, 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, at)
  byte[0] = (byte[0] ?? 0) ^ 0x55
  await handle.write(byte, 0, 1, at)
  await handle.close()
  await utimes(file, atime, mtime)
}

/** Everything that a reader can ask of the store. */
async function everything(directory: string) {
  await using store = await levelStore(directory)
  const found: unknown[] = []
  for await (const { stream, version, summary } of store.streams()) {
    found.push([stream, version, summary])
    for await (const { data } of store.read(stream)) found.push(data)
  }
  for await (const { position, data } of store.readAll()) found.push([position, data])
  return found
}

describe('A store that was closed', () => {
  test('is opened by reading the tables that it needs for that, and no others', async () => {
    const directory = await temporaryDirectory()
    for (let round = 0; round < 14; round++) {
      await using store = await levelStore(directory)
      for (let stream = 0; stream < 10; stream++)
        await store.append(`agent/a${stream}`, [fact(randomBytes(80_000).toString('hex'))])
    }
    await (await levelStore(directory))[Symbol.asyncDispose]()
    const tables = await tablesOf(directory)
    expect(tables.length).toBeGreaterThan(8)
    const read = countingTables()
    await using store = await levelStore(directory, { clock: virtualClock() })
    expect(read()).toBeLessThan(tables.length / 2)
    expect(await store.head()).toBe(140)
  })

  test('is opened, and a stream read, by reading a small part of those tables', async () => {
    const directory = await temporaryDirectory()
    {
      await using store = await levelStore(directory)
      const append = (stream: number) =>
        store.append(`agent/a${stream}`, [fact(randomBytes(1000).toString('hex'))])
      for (let stream = 0; stream < 10_000; stream += 500)
        await Promise.all(Array.from({ length: 500 }, (_, more) => append(stream + more)))
    }
    await (await levelStore(directory))[Symbol.asyncDispose]()
    const read = countingBytes()
    await using store = await levelStore(directory, { clock: virtualClock() })
    for await (const { stream } of store.read('agent/a4711')) expect(stream).toBe('agent/a4711')
    const all = await sizeOfTables(directory)
    expect(all).toBeGreaterThan(10_000_000)
    expect(read()).toBeLessThan(all / 20)
  })

  test('reads each block of a table once, however many of its keys are asked for', async () => {
    const directory = await temporaryDirectory()
    {
      await using store = await levelStore(directory)
      const facts = Array.from({ length: 1000 }, () => fact(randomBytes(250).toString('hex')))
      await store.append('agent/a', facts)
    }
    await (await levelStore(directory))[Symbol.asyncDispose]()
    const read = countingBytes()
    await using store = await levelStore(directory, { clock: virtualClock() })
    let facts = 0
    for await (const { stream } of store.read('agent/a')) facts += Number(stream === 'agent/a')
    expect(facts).toBe(1000)
    expect(read()).toBeLessThanOrEqual(await sizeOfTables(directory))
  })

  test('reads all of them if what was remembered is thrown away', async () => {
    const directory = await storeWithTables()
    const tables = await tablesOf(directory)
    await rm(join(directory, 'verified'))
    const read = countingTables()
    await (await levelStore(directory, { clock: virtualClock() }))[Symbol.asyncDispose]()
    expect(read()).toBe(tables.length)
  })

  test('reads a table that has another time', async () => {
    const directory = await storeWithTables()
    const [table = ''] = await tablesOf(directory)
    await copyFile(join(directory, 'log', table), join(directory, 'copy'))
    await utimes(join(directory, 'log', table), new Date(0), new Date(0))
    const read = vi.spyOn(TableFile, 'open')
    await (await levelStore(directory, { clock: virtualClock() }))[Symbol.asyncDispose]()
    expect(read.mock.calls.map(([path]) => path)).toContain(join(directory, 'log', table))
  })

  test('reads the others in the background', async () => {
    const directory = await storeWithTables()
    const tables = await tablesOf(directory)
    const read = countingTables()
    const clock = virtualClock()
    await using store = await levelStore(directory, { clock })
    for (let round = 0; round <= tables.length; round++) {
      await clock.advance(50)
      await store.blobs.put('waits for the disk')
    }
    await vi.waitUntil(() => read() === tables.length, { timeout: 60_000 })
  })

  test('reads a table again that could not be read for a while', async () => {
    const unread = await checkBeforeOpening(storePaths(await storeWithTables()))
    const tables = unread.size
    const clock = virtualClock()
    const logger = { ...silentLogger, warn: vi.fn(), error: vi.fn() }
    const failure = Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    vi.spyOn(TableFile, 'open').mockRejectedValueOnce(failure).mockRejectedValueOnce(failure)
    const all = [{ from: '', to: '\uffff' }]
    await expect(unread.read(all)).rejects.toBe(failure)
    unread.scrub(clock, logger)
    await clock.advance(50)
    await vi.waitUntil(() => logger.warn.mock.calls.length === 1, { timeout: 60_000 })
    expect(unread.size).toBe(tables)
    await clock.advance(10_000)
    await vi.waitUntil(() => unread.size === tables - 1, { timeout: 60_000 })
    await unread.read(all)
    expect(unread.size).toBe(0)
    expect(logger.error).not.toHaveBeenCalled()
    await unread.close()
  })
})

test('A byte that rots in a table without a trace gives an error or what was written, wherever it is', async () => {
  const directory = await storeWithTables(2)
  // Times that can be set again exactly.
  for (const table of await tablesOf(directory))
    await utimes(join(directory, 'log', table), new Date(0), new Date(0))
  const expected = await everything(directory)
  let errors = 0
  for (const table of await tablesOf(directory)) {
    const file = join(directory, 'log', table)
    const { size } = await stat(file)
    for (let sample = 0; sample < 2 * SAMPLES; sample++) {
      const isLast = sample >= SAMPLES
      const at = isLast
        ? Math.max(0, size - 1 - (sample - SAMPLES) * 40)
        : Math.floor((size * sample) / SAMPLES)
      await rot(file, at)
      const found = await everything(directory).catch((error: unknown) => {
        expect(error).toBeInstanceOf(StoreDamaged)
        return null
      })
      if (found === null) errors++
      else expect(found).toEqual(expected)
      expect((await verifyStore(directory)).ok).toBe(false)
      await rot(file, at)
      // It is remembered again.
      await (await levelStore(directory))[Symbol.asyncDispose]()
    }
  }
  expect(errors).toBeGreaterThan(0)
})
