/** Damage is reported, with its location, when a store is opened or at the latest when the damaged part is read. */
import { appendFile, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '../../../src/store/level/database.ts'
import { checkFormat, storePaths } from '../../../src/store/level/directory.ts'
import {
  checkpointKey,
  decodeRecord,
  encodeRecord,
  headKey,
  pointersKey,
  recordKey,
} from '../../../src/store/level/entries.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { all, contents, counted, tamper } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

let directory: string
let storeId: string
const log = () => join(directory, 'log')

/** Ten facts in two alternating streams: agent/a has the odd positions. */
beforeEach(async () => {
  directory = await temporaryDirectory()
  await using store = await levelStore(directory)
  storeId = store.storeId
  for (let n = 1; n <= 10; n++) await store.append(n % 2 ? 'agent/a' : 'agent/b', [counted(n)])
})

/** Opens the store and reads from it. Returns the facts, or the first error. */
async function reading(read: 'all' | 'agent/a' | 'agent/b'): Promise<unknown> {
  try {
    await using store = await levelStore(directory)
    return await all(read === 'all' ? store.readAll() : store.read(read))
  } catch (error) {
    return error
  }
}

async function change(database: Database, key: string, how: (value: string) => string): Promise<void> {
  await database.put(key, how((await database.get(key)) ?? ''))
}

describe('A record', () => {
  test('that was changed is reported as corrupt, with its position, however it is read', async () => {
    await tamper(directory, (database) =>
      change(database, recordKey(5), (value) => value.replace('"n":5', '"n":6')),
    )
    const corrupt = { _tag: 'CorruptRecord', position: 5, file: log() }
    expect(await reading('all')).toMatchObject(corrupt)
    expect(await reading('agent/a')).toMatchObject(corrupt)
    expect(await reading('agent/b')).toHaveLength(5)
  })

  test('that replaces another one is reported as corrupt, although it is intact', async () => {
    await tamper(directory, async (database) =>
      database.put(recordKey(5), (await database.get(recordKey(3))) ?? ''),
    )
    expect(await reading('agent/a')).toMatchObject({ _tag: 'CorruptRecord', position: 5 })
  })

  test('that was rewritten with a correct hash breaks the chain', async () => {
    await tamper(directory, async (database) => {
      const value = (await database.get(recordKey(5))) ?? ''
      const { previousHash } = decodeRecord({ storeId, path: log() }, 5, value)
      const text = value.slice(value.indexOf('{')).replace('"n":5', '"n":6')
      await database.put(recordKey(5), encodeRecord(recordKey(5), previousHash, text).value)
    })
    expect(await reading('all')).toMatchObject({ _tag: 'CorruptRecord', position: 6 })
  })

  test('that is missing in the middle is a gap', async () => {
    await tamper(directory, (database) => database.del(recordKey(5)))
    expect(await reading('all')).toMatchObject({ _tag: 'SequenceGap', position: 5, file: log() })
  })

  test('that is missing at the end is a lost tail, and the store does not open', async () => {
    await tamper(directory, (database) =>
      database.batch([recordKey(10), recordKey(9)].map((key) => ({ type: 'del', key }))),
    )
    await expect(levelStore(directory)).rejects.toMatchObject({ _tag: 'TailLoss', position: 8, file: log() })
  })
})

describe('The index', () => {
  test('that lost the pointers of a stream is detected', async () => {
    await tamper(directory, (database) => database.del(pointersKey('agent/a', 5)))
    expect(await reading('agent/a')).toMatchObject({
      _tag: 'CorruptRecord',
      details: { key: headKey('agent/a') },
    })
    expect(await reading('agent/b')).toHaveLength(5)
  })

  test('that lost a stream is detected, and nothing is appended to that stream', async () => {
    await tamper(directory, (database) => database.del(headKey('agent/a')))
    expect(await reading('agent/a')).toMatchObject({ _tag: 'CorruptRecord' })
    await using store = await levelStore(directory)
    const [damaged, whole] = await Promise.allSettled([
      store.append('agent/a', [counted(11)], { expectedVersion: 'none' }),
      store.append('agent/b', [counted(11)]),
    ])
    expect(damaged).toMatchObject({ status: 'rejected', reason: { _tag: 'CorruptRecord' } })
    expect(whole).toMatchObject({ status: 'fulfilled' })
  })

  test('that leads to the facts of another stream is detected', async () => {
    await tamper(directory, async (database) => {
      // The checksum covers the key, so this is a whole entry of another key, as after a mix-up of blocks.
      await database.put(pointersKey('agent/a', 5), (await database.get(pointersKey('agent/b', 5))) ?? '')
    })
    expect(await reading('agent/a')).toMatchObject({ _tag: 'CorruptRecord' })
  })

  test('that lost a checkpoint is detected', async () => {
    {
      await using store = await levelStore(directory)
      await store.append('agent/a', [counted(11)])
    }
    await tamper(directory, (database) => database.del(checkpointKey(11)))
    // Without its last checkpoint, the index is older than its own entries.
    await expect(levelStore(directory)).rejects.toMatchObject({ _tag: 'SequenceGap' })
  })
})

describe('The directory', () => {
  test.each([
    ['store.json', 'StoreDamaged'],
    ['head', 'StoreDamaged'],
    ['log', 'StoreDamaged'],
    ['log/CURRENT', 'StoreDamaged'],
  ])('without its %s is refused and left unchanged', async (name, tag) => {
    await rm(join(directory, name), { recursive: true })
    const before = await contents(directory)
    await expect(levelStore(directory)).rejects.toMatchObject({ _tag: tag })
    expect(await contents(directory)).toEqual(before)
  })

  test('of a newer format is refused and left unchanged', async () => {
    await writeFile(join(directory, 'store.json'), JSON.stringify({ format: 2, storeId }))
    const before = await contents(directory)
    await expect(levelStore(directory)).rejects.toMatchObject({
      _tag: 'UnsupportedFormat',
      details: { found: 2, known: 1 },
    })
    expect(await contents(directory)).toEqual(before)
  })

  test('with a torn store.json or head is refused', async () => {
    const head = join(directory, 'head')
    const content = await readFile(head)
    await truncate(head, 20)
    await expect(levelStore(directory)).rejects.toMatchObject({ _tag: 'StoreDamaged', file: head })
    await writeFile(head, content)
    await writeFile(join(directory, 'store.json'), '{"format":')
    await expect(levelStore(directory)).rejects.toMatchObject({ _tag: 'StoreDamaged' })
  })

  test('of a read-only store stays read-only, whichever bit of its store.json is flipped', async () => {
    const file = join(directory, 'store.json')
    const content = Buffer.from(`${JSON.stringify({ format: 1, storeId, forReading: true })}\n`)
    for (let bit = 0; bit < content.length * 8; bit++) {
      const flipped = Buffer.from(content)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await writeFile(file, flipped)
      const read = await checkFormat(storePaths(directory)).catch((error) => error)
      const found = { bit, same: read?.forReading === true, tag: read?._tag ?? 'none' }
      // The id is not checked here, but compared with those in the head and in the log.
      expect(found.same || /^(StoreDamaged|UnsupportedFormat)$/.test(found.tag), JSON.stringify(found)).toBe(
        true,
      )
    }
  })

  test('with the log or the head of another store is refused', async () => {
    const other = await temporaryDirectory()
    const { storeId: otherId } = await levelStore(other).then(async (store) => {
      await store[Symbol.asyncDispose]()
      return store
    })
    await writeFile(join(other, 'head'), await readFile(join(directory, 'head')))
    await expect(levelStore(other)).rejects.toMatchObject({ _tag: 'StoreDamaged' })
    await writeFile(join(directory, 'store.json'), JSON.stringify({ format: 1, storeId: otherId }))
    await expect(levelStore(directory)).rejects.toMatchObject({ _tag: 'StoreDamaged' })
  })
})

describe('A body', () => {
  test('that was changed, truncated or removed is corrupt, and can be put again', async () => {
    await using store = await levelStore(directory)
    const reference = await store.blobs.put('a long text')
    const file = join(directory, 'blobs', reference.sha256.slice(0, 2), reference.sha256)
    const corrupt = { _tag: 'CorruptBlob', file }
    await appendFile(file, '!')
    await expect(store.blobs.get(reference)).rejects.toMatchObject(corrupt)
    await writeFile(file, 'a wrong text'.slice(0, reference.bytes))
    await expect(store.blobs.get(reference)).rejects.toMatchObject(corrupt)
    await rm(file)
    await expect(store.blobs.get(reference)).rejects.toMatchObject(corrupt)
    await store.blobs.put('a long text')
    expect(await store.blobs.get(reference)).toBe('a long text')
  })
})
