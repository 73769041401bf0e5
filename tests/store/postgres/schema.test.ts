/** What a database keeps of a release. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { FUNCTIONS, SCHEMA_VERSION } from '../../../src/store/postgres/schema.ts'

test('Functions that have changed have a version of their own: an older database has them made anew only then', () => {
  const functions = createHash('sha256').update(FUNCTIONS('"s"')).digest('hex').slice(0, 16)
  // Another hash needs another migration.
  expect({ version: SCHEMA_VERSION, functions }).toEqual({ version: 8, functions: '9dd99dd5bff14d50' })
})
