/** The pages for contributors name files that exist, and the reading path stays short enough to be read. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT, read } from './documents.ts'

/** Paths in code font, from the root of the repository; `<topic>` and `*` stand for several. */
const pathsIn = (text: string) =>
  [...text.matchAll(/`((?:src|tests|docs|scripts|bench|examples|\.ci)\/[^`\s]*)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => !/[<*]/.test(path))

const missingIn = (text: string) => pathsIn(text).filter((path) => !existsSync(join(ROOT, path)))

test.each(['docs/architecture.md', 'CONTRIBUTING.md', 'AGENTS.md'])(
  'Every path named in %s exists',
  (page) => {
    expect(missingIn(read(page))).toEqual([])
  },
)

test('A path that does not exist is reported', () => {
  expect(missingIn('`src/index.ts`, `src/nothing.ts` and `src/cli/<topic>/words.ts`')).toEqual([
    'src/nothing.ts',
  ])
})

test('The reading path in docs/architecture.md can be read in an afternoon', () => {
  const [, section = ''] = read('docs/architecture.md').split('## The reading path')
  const files = [...(section.split('\n## ')[0] ?? '').matchAll(/\]\(\.\.\/(src\/[^)]+)\)/g)].map(
    ([, file = '']) => file,
  )
  const lines = files.map((file) => read(file).split('\n').length).reduce((sum, count) => sum + count, 0)
  expect(files.length).toBeGreaterThan(25)
  expect(lines).toBeLessThan(5300)
})
