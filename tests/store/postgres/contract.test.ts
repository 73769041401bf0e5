/** The store on PostgreSQL passes the published contract suite, alone and shared. */
import { describe, test } from 'vitest'
import { postgresStore } from '../../../src/store/postgres/store.ts'
import { eventStoreContract } from '../../../src/testing/contract/event-store-contract.ts'
import { hasPostgres, place } from '../../postgres/database.ts'

describe.skipIf(!hasPostgres)('A store on PostgreSQL', () => {
  const make = async () => {
    const { url, schema } = await place()
    return postgresStore(url, { schema })
  }
  for (const { title, run } of eventStoreContract(make)) test(title, run)
})
