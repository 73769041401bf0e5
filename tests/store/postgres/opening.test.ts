/** Opening a log on PostgreSQL: who may, and what is said to those who cannot. */
import { describe, expect, test } from 'vitest'
import { postgresStore } from '../../../src/store/postgres/store.ts'
import { hasPostgres, place } from '../../postgres/database.ts'
import { counted } from '../store-kit.ts'

describe.skipIf(!hasPostgres)('A new database', () => {
  test('can be opened by several processes at once: the tables are made once', async () => {
    const { url, schema } = await place()
    const open = () => postgresStore(url, { schema, access: 'shared' })
    const stores = await Promise.all(Array.from({ length: 6 }, open))
    expect(new Set(stores.map(({ storeId }) => storeId)).size).toBe(1)
    expect(new Set(stores.map(({ epoch }) => epoch)).size).toBe(6)
    await Promise.all(stores.map((store) => store.append('agent/a', [counted(1)])))
    expect(await stores[0]?.head('agent/a')).toBe(6)
    for (const store of stores) await store[Symbol.asyncDispose]()
  })
})
