/** What docs/semantics.md promises has the tests that it names. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const text = readFileSync(join(ROOT, 'docs/semantics.md'), 'utf8')

const named = [...text.matchAll(/^ {2}`(tests\/[^`]+)`: "([^"]+)"$/gm)].map(([, file = '', title = '']) => ({
  file,
  title,
}))

test('Every promise in docs/semantics.md names tests that exist', () => {
  expect(named.length).toBeGreaterThan(30)
  const missing = named.filter(({ file, title }) => !readFileSync(join(ROOT, file), 'utf8').includes(title))
  expect(missing).toEqual([])
})

test('Every promise in docs/semantics.md names at least one', () => {
  const [promises = ''] = text.split('## What is not promised')
  const bare = promises
    .split(/^- /m)
    .slice(1)
    .filter((promise) => !/^ {2}`tests\//m.test(promise))
  expect(bare).toEqual([])
})
