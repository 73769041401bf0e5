/** Where input goes in a workspace: one normal form, and no way out. */
import { resolve, sep } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { checkTarget } from '../../../src/events/task-input.ts'

const check = (target: unknown) => checkTarget(target, 'target')

test.each([
  ['a', 'a'],
  ['./docs//guide/./x.md', 'docs/guide/x.md'],
  ['docs/', 'docs'],
  ['..a/b..', '..a/b..'],
  ['-u', '-u'],
  ['with space/ü', 'with space/ü'],
  ['.github/workflows', '.github/workflows'],
])('%j becomes %j', (target, expected) => {
  expect(check(target)).toBe(expected)
})

test.each([
  ['', /empty/],
  ['.', /empty, or names the workspace itself/],
  ['/', /absolute/],
  ['/etc/passwd', /absolute/],
  ['C:/x', /absolute/],
  ['..', /\.\./],
  ['a/../../b', /\.\./],
  ['a/..', /\.\./],
  ['a\0b', /control character/],
  ['a\nb', /control character/],
  ['a\\..\\b', /backslash/],
  ['\ud800', /Unicode/],
  ['x'.repeat(256), /too long/],
  ['x/'.repeat(600), /too long/],
  ['repo/.git/hooks/post-checkout', /\.git/],
  ['.GIT/config', /\.git/],
  ['repo/.git. /config', /\.git/],
  ['repo/.g\u200cit/config', /\.git/],
  ['repo/git~1/config', /\.git/],
  ['repo/.git::$INDEX_ALLOCATION/config', /\.git/],
  [7, /not a string/],
  [null, /not a string/],
])('%j is rejected', (target, problem) => {
  expect(() => check(target)).toThrow(InvalidInputError)
  expect(() => check(target)).toThrow(problem)
})

const piece = fc.oneof(
  fc.constantFrom('..', '.', '', '/', '\\', '\0', '.git', '.GIT', 'git~1', 'C:', ' ', 'a', 'docs'),
  fc.string({ unit: 'binary', maxLength: 8 }),
)
const anyTarget = fc
  .tuple(fc.array(piece, { maxLength: 8 }), fc.constantFrom('/', '//', '/./', ''))
  .map(([pieces, separator]) => pieces.join(separator))

test('whatever is accepted is in the workspace, not in a .git, and in normal form', () => {
  let taken = 0
  fc.assert(
    fc.property(anyTarget, (target) => {
      let normal: string
      try {
        normal = check(target)
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidInputError)
        return
      }
      taken += 1
      expect(resolve('/workspace', normal).startsWith(`/workspace${sep}`)).toBe(true)
      expect(resolve('/workspace', normal)).toBe(resolve('/workspace', target))
      expect(normal.split('/').map((part) => part.toLowerCase())).not.toContain('.git')
      expect(check(normal)).toBe(normal)
    }),
    { numRuns: 2_000 },
  )
  expect(taken).toBeGreaterThan(100)
})
