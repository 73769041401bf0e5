import { expect, test } from 'vitest'
// @ts-expect-error: a script without types
import { apiReference } from '../../scripts/api-reference.mjs'
import { read } from './documents.ts'

test('docs/api-reference.md is what the docstrings of all exports say (npm run docs:api writes it)', () => {
  expect(read('docs/api-reference.md')).toBe(apiReference())
})

test('Every export belongs to a topic', () => {
  expect(read('docs/api-reference.md')).not.toMatch(/^## More$/m)
})
