/** The laws of every store hold on PostgreSQL: the model of a log, a crash at every append, live state = replayed state. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sequential } from '../../../src/patterns/sequential.ts'
import { postgresStore } from '../../../src/store/postgres/store.ts'
import { crashSweep } from '../../../src/testing/crash-sweep.ts'
import { hasPostgres, place } from '../../postgres/database.ts'
import { repetitions } from '../../repetitions.ts'
import { likeTheModel } from '../append-model.ts'

const numRuns = repetitions('POSTGRES_MODELS', { short: 5, long: 60 })

const opened = async () => {
  const { url, schema } = await place()
  return postgresStore(url, { schema })
}

describe.skipIf(!hasPostgres)('On PostgreSQL', () => {
  test('any sequence of appends has the outcomes and the log of the model', async () => {
    await fc.assert(
      likeTheModel(async () => {
        const { url, schema } = await place()
        const open = () => postgresStore(url, { schema })
        return { store: await open(), reopen: open }
      }),
      { numRuns },
    )
  })

  test('a run survives a crash at every append, and each live state equals the fold of its facts', async () => {
    const { result, appends } = await crashSweep({
      agents: ['a', 'b'],
      pattern: sequential(['a', 'b']),
      input: 'go',
      reply: ({ agent }) => `${agent} is done`,
      store: opened,
    })
    expect(result).toMatchObject({ success: true, finalOutput: 'b is done' })
    expect(appends).toBeGreaterThan(5)
  })
})
