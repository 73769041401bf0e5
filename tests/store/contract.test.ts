/** Both stores pass the published contract suite. */
import { describe, test } from 'vitest'
import { levelStore } from '../../src/store/level/store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { eventStoreContract } from '../../src/testing/contract/event-store-contract.ts'
import { temporaryDirectory } from './temporary.ts'

describe('A store in memory', () => {
  for (const { title, run } of eventStoreContract(() => memoryStore())) test(title, run)
})

describe('A store on LevelDB', () => {
  for (const { title, run } of eventStoreContract(async () => levelStore(await temporaryDirectory())))
    test(title, run)
})
