/** What docs/semantics.md promises has tests. That they ran, a whole run checks. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { failures, promisesIn, type Ran, semantics, unexpectedSkips, unshown } from '../evidence.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const promises = promisesIn(semantics())

test('Every promise in docs/semantics.md names tests, of files that exist and have their titles', () => {
  expect(promises.length).toBeGreaterThan(60)
  expect(promises.filter(({ tests }) => tests.length === 0)).toEqual([])
  const missing = promises
    .flatMap(({ tests }) => tests)
    .filter(({ file, title }) => !readFileSync(join(ROOT, file), 'utf8').includes(title))
  expect(missing).toEqual([])
})

test('A promise counts as shown only by a test of its title that ran and passed', () => {
  const [promise] = promisesIn('- **It holds.**\n  `tests/a.test.ts`: "holds for %s"\n')
  const ran = (state: string, name = 'a group > holds for everyone', file = 'tests/a.test.ts'): Ran[] => [
    { file, name, state },
  ]
  if (!promise) throw new Error('no promise was found')
  expect(unshown([promise], ran('passed'))).toEqual([])
  for (const tests of [
    [],
    ran('skipped'),
    ran('failed'),
    ran('passed', 'holds against'),
    ran('passed', undefined, 'tests/b.test.ts'),
  ]) {
    expect(unshown([promise], tests)).toEqual([
      'It holds.: tests/a.test.ts has no test "holds for %s" that ran and passed',
    ])
  }
})

test('A skipped test is told unless the list has its file and name', () => {
  const tests = [
    { file: 'tests/a.test.ts', name: 'one', state: 'skipped' },
    { file: 'tests/a.test.ts', name: 'two', state: 'skipped' },
    { file: 'tests/a.test.ts', name: 'three', state: 'passed' },
  ]
  expect(unexpectedSkips(tests, '')).toEqual(['tests/a.test.ts > one', 'tests/a.test.ts > two'])
  expect(unexpectedSkips(tests, '# why\ntests/a.test.ts > one # no tmux\n')).toEqual([
    'tests/a.test.ts > two',
  ])
})

test('What failed is told in two lines each: the test, and the beginning of its message', () => {
  const ran = (state: string, message?: string): Ran => ({
    file: 'tests/a.test.ts',
    name: 'a group > holds',
    state,
    errors: message === undefined ? undefined : [{ message }],
  })
  const long = `\u001b[31mexpected 1\u001b[39m\n\n   to be 2\n${'x'.repeat(10_000)}`
  const told = failures([ran('passed'), ran('failed', long), ran('skipped'), ran('failed')])
  expect(told).toEqual([
    expect.stringMatching(/^tests\/a\.test\.ts > a group > holds\n {2}expected 1 \| to be 2 \| x+$/),
    'tests/a.test.ts > a group > holds\n  no message',
  ])
  expect(told[0]?.length).toBeLessThan(300)
})
