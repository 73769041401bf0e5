/** Whatever is appended in whatever order, both stores contain what the simplest model of a log contains. */
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { levelStore } from '../../../src/store/level/store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { repetitions } from '../../repetitions.ts'
import { likeTheModel } from '../append-model.ts'
import { temporaryDirectory } from '../temporary.ts'

describe('Any sequence of appends has the outcomes and the log of the model', () => {
  test('in memory', async () => {
    await fc.assert(
      likeTheModel(async () => ({ store: memoryStore(), reopen: null })),
      { numRuns: 200 },
    )
  })

  test('on LevelDB, even if the store is reopened in between', async () => {
    await fc.assert(
      likeTheModel(async () => {
        const directory = await temporaryDirectory()
        return { store: await levelStore(directory), reopen: () => levelStore(directory) }
      }),
      { numRuns: repetitions('STORE_MODELS', { short: 15, long: 200 }) },
    )
  })
})
