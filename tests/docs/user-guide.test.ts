import { expect, test } from 'vitest'
// @ts-expect-error: a script without types
import { withCommands } from '../../scripts/command-reference.mjs'
import { program } from '../../scripts/program.ts'
import { read } from './documents.ts'

test('docs/user-guide.md lists every command and option (npm run docs:api writes them)', () => {
  const page = read('docs/user-guide.md')
  expect(page).toBe(withCommands(page, program))
})
