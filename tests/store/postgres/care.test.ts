/** The care of a log on PostgreSQL: verified, and copied to and from stores in directories. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importDatabase, restoreDatabase } from '../../../src/history/database-archive.ts'
import { exportLog, importLog, restore } from '../../../src/history/log-archive.ts'
import { backup } from '../../../src/store/care/backup.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import type { ChainedStore } from '../../../src/store/level/chained-store.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { postgresStore } from '../../../src/store/postgres/store.ts'
import { verifyDatabase } from '../../../src/store/postgres/verification.ts'
import { cutOff, hasPostgres, place, query } from '../../postgres/database.ts'
import { all, counted, countedTo } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

/** With all that a record can hold. */
async function filled<Store extends ChainedStore>(store: Store): Promise<Store> {
  const body = await store.blobs.put('a long body ü \u0000\n')
  await store.append('note/a', countedTo(3), { commitId: 'first' })
  const summary = { status: 'busy', open: true, info: { text: '\u0000' } }
  const data = { body: { ...body }, odd: '\ud800 \u0000', list: [1, null] }
  await store.append('note/b', [{ type: 'Said', v: 1, data, correlationId: 'x' }], { summary })
  const cause = counted(4)
  await store.appendAll([
    { stream: 'note/a', facts: [cause] },
    { stream: 'note/c', facts: [{ ...counted(1), causationId: cause }] },
  ])
  return store
}

const chainOf = async (store: ChainedStore) =>
  (await all(store.chain())).map(({ recorded, hash, text }) => ({ recorded, hash, text }))

describe.skipIf(!hasPostgres)('A log on PostgreSQL', () => {
  test('has the same records and the same chain as on LevelDB, and is copied there and back byte for byte', async () => {
    const directory = await temporaryDirectory()
    const at = (name: string) => join(directory, name)
    const { url, schema } = await place()
    await using store = await filled(await postgresStore(url, { schema }))
    const chain = await chainOf(store)
    const [cause, effect] = chain.slice(-2)
    expect(effect?.recorded.causationId).toBe(cause?.recorded.id)
    expect(await backup(store, at('backup'))).toMatchObject({ records: 6, blobs: 1 })
    await exportLog(store, at('export'))
    await restore(at('backup'), at('restored'))
    await importLog(at('export'), at('imported'))
    for (const copy of ['restored', 'imported']) {
      expect(await verifyStore(at(copy))).toMatchObject({ ok: true, facts: 6 })
      await using level = await levelStore(at(copy))
      expect(await chainOf(level)).toEqual(chain)
    }
    const [one, other] = [await place(), await place()]
    await restoreDatabase(at('backup'), one.url, { schema: one.schema })
    await importDatabase(at('export'), other.url, { schema: other.schema })
    for (const copy of [one, other]) {
      expect(await verifyDatabase(copy.url, { schema: copy.schema })).toMatchObject({
        ok: true,
        findings: [],
      })
      await using again = await postgresStore(copy.url, { schema: copy.schema })
      expect(await chainOf(again)).toEqual(chain)
      expect(again.epoch).toBeGreaterThan(store.epoch)
      // It goes on where the original was.
      expect(await again.append('note/a', countedTo(3), { commitId: 'first' })).toEqual(
        await all(store.read('note/a', { to: 3 })),
      )
      await again.append('note/a', [counted(5)], { expectedVersion: 4 })
      expect(await all(again.streams({ open: true }))).toEqual(await all(store.streams({ open: true })))
      expect(await again.count?.('note')).toBe(1)
    }
  })

  test('is written over by no restored one', async () => {
    const directory = await temporaryDirectory()
    const { url, schema } = await place()
    await using store = await filled(await postgresStore(url, { schema }))
    await backup(store, join(directory, 'backup'))
    const again = () => restoreDatabase(join(directory, 'backup'), url, { schema })
    await expect(again()).rejects.toMatchObject({ _tag: 'StoreInUse' })
    await store[Symbol.asyncDispose]()
    await expect(again()).rejects.toMatchObject({ _tag: 'DatabaseNotEmpty' })
    expect(await verifyDatabase(url, { schema })).toMatchObject({ ok: true, facts: 6, streams: 3, blobs: 1 })
  })

  test('that is restored is written by no process that had the empty one, and by the next that opens it', async () => {
    const directory = await temporaryDirectory()
    const [from, { url, schema }] = [await place(), await place()]
    await using original = await filled(await postgresStore(from.url, { schema: from.schema }))
    await backup(original, join(directory, 'backup'))
    // More writers than the original has had.
    for (const _ of [1, 2]) await (await postgresStore(url, { schema }))[Symbol.asyncDispose]()
    await using empty = await postgresStore(url, { schema })
    await cutOff(url, schema)
    await restoreDatabase(join(directory, 'backup'), url, { schema })
    await expect(empty.append('note/a', [counted(1)])).rejects.toMatchObject({ _tag: 'StoreLockLost' })
    await using restored = await postgresStore(url, { schema })
    expect(restored.epoch).toBeGreaterThan(empty.epoch)
    expect(await restored.head()).toBe(6)
  })

  test.each([
    [
      'a record that was changed',
      `update S.records set record = replace(record, '"n":2', '"n":7')`,
      'record',
      2,
    ],
    ['a record that was removed', 'delete from S.records where position = 3', 'gap', 3],
    ['the last record removed', 'delete from S.records where position = 6', 'gap', 6],
    [
      'two records that changed places',
      `update S.records set record = other.record from S.records as other
       where (records.position, other.position) in ((1, 2), (2, 1))`,
      'record',
      1,
    ],
    [
      'another version of a stream',
      `update S.streams set version = 9 where stream = 'note/a'`,
      'index',
      null,
    ],
    ['a stream that is not listed', `delete from S.streams where stream = 'note/b'`, 'index', null],
    ['a stream that is not listed as open', 'update S.streams set is_open = false', 'index', null],
    ['a wrong count', 'update S.counts set count = 7', 'index', null],
    ['a commit that is elsewhere', 'update S.commits set first = 2', 'index', 3],
    ['a body that was changed', `update S.blobs set content = '\\x00'`, 'blob', 4],
    ['a body that was removed', 'delete from S.blobs', 'blob', 4],
  ])('is verified: %s is found', async (_, statement, kind, position) => {
    const { url, schema } = await place()
    await (await filled(await postgresStore(url, { schema })))[Symbol.asyncDispose]()
    expect(await verifyDatabase(url, { schema })).toMatchObject({ ok: true, notes: [] })
    await query(url, statement.replaceAll('S.', `${schema}.`))
    const { ok, findings } = await verifyDatabase(url, { schema })
    expect(ok).toBe(false)
    expect(findings).toContainEqual(expect.objectContaining({ kind, position }))
  })

  test('is never read wrong: a changed, a missing and a misplaced record are errors', async () => {
    const { url, schema } = await place()
    await using store = await filled(await postgresStore(url, { schema }))
    await query(url, `update ${schema}.records set record = replace(record, '"n":2', '"n":7')`)
    await expect(all(store.read('note/a'))).rejects.toMatchObject({ _tag: 'CorruptRecord', position: 2 })
    await query(url, `delete from ${schema}.records where position = 2`)
    await expect(all(store.readAll())).rejects.toMatchObject({ _tag: 'SequenceGap' })
    await expect(all(store.read('note/a', { direction: 'backwards' }))).rejects.toMatchObject({
      _tag: 'SequenceGap',
    })
    await query(url, `update ${schema}.records set stream = 'note/x' where stream = 'note/b'`)
    await query(url, `update ${schema}.streams set stream = 'note/x' where stream = 'note/b'`)
    await expect(all(store.read('note/x'))).rejects.toMatchObject({ _tag: 'CorruptRecord' })
  })
})
