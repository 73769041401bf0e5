/** What a tool call would change in a text, as a patch. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { linePatch } from '../../src/inbox/line-patch.ts'

/** The text that a patch makes of another, read as `patch` reads it. */
function patched(before: string, patch: ReturnType<typeof linePatch>): string {
  const lines = before.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const made: string[] = []
  let at = 0
  patch.forEach(([kind, text], row) => {
    const isBare = patch[row + 1]?.[1] === '\\ No newline at end of file'
    const line = `${text.slice(1)}${isBare ? '' : '\n'}`
    if (kind === 'hunk') {
      const [, first = '', count = ''] = /^@@ -(\d+),(\d+) /.exec(text) ?? []
      const next = count === '0' ? Number(first) : Number(first) - 1
      made.push(...lines.slice(at, next))
      at = next
    } else if (text.startsWith('\\ No newline')) return
    else if (kind === 'added') made.push(line)
    else {
      expect(lines[at++]).toBe(line)
      if (kind === 'same') made.push(line)
    }
  })
  return [...made, ...lines.slice(at)].join('')
}

const lineOf = fc.constantFrom('a', 'b', 'c', '', 'with\r', '+', '-x')
const textOf = fc
  .tuple(fc.array(lineOf, { maxLength: 30 }), fc.boolean())
  .map(([lines, ends]) =>
    lines.map((line, at) => (at < lines.length - 1 || ends ? `${line}\n` : line)).join(''),
  )

test('whatever two texts are, the patch makes one of the other, and is empty only if they are equal', () => {
  fc.assert(
    fc.property(textOf, textOf, (before, after) => {
      const patch = linePatch(before, after)
      expect(patched(before, patch)).toBe(after)
      expect(patch.length === 0).toBe(before === after)
    }),
  )
})

test('a patch has no more removed and added lines than needed', () => {
  const longestCommon = (one: readonly string[], other: readonly string[]): number => {
    const row = new Array<number>(other.length + 1).fill(0)
    for (const line of one) {
      let corner = 0
      other.forEach((each, at) => {
        const above = row[at + 1] ?? 0
        row[at + 1] = line === each ? corner + 1 : Math.max(above, row[at] ?? 0)
        corner = above
      })
    }
    return row.at(-1) ?? 0
  }
  const lines = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 15 })
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const whole = (all: readonly string[]) => all.map((line) => `${line}\n`).join('')
      const changed = linePatch(whole(before), whole(after)).filter(([kind]) => /added|removed/.test(kind))
      expect(changed.length).toBe(before.length + after.length - 2 * longestCommon(before, after))
    }),
  )
})

test('a patch has three lines around each change, and the numbers of its lines', () => {
  const before = Array.from({ length: 30 }, (_, at) => `${at + 1}\n`).join('')
  const after = before.replace('5\n', 'five\n').replace('30\n', '30')
  expect(linePatch(before, after).map(([, text]) => text)).toEqual([
    '@@ -2,7 +2,7 @@',
    ...[' 2', ' 3', ' 4', '-5', '+five', ' 6', ' 7', ' 8'],
    '@@ -27,4 +27,4 @@',
    ...[' 27', ' 28', ' 29'],
    ...['-30', '+30', '\\ No newline at end of file'],
  ])
  expect(linePatch('', 'new\n').map(([, text]) => text)).toEqual(['@@ -0,0 +1,1 @@', '+new'])
  expect(linePatch('old\n', '').map(([, text]) => text)).toEqual(['@@ -1,1 +0,0 @@', '-old'])
})

test('texts without a common line are replaced, whatever their length', () => {
  const all = (name: string) => Array.from({ length: 20_000 }, (_, at) => `${name} ${at}\n`).join('')
  const patch = linePatch(all('before'), all('after'))
  expect(patch.length).toBe(40_001)
  expect(patch[0]?.[1]).toBe('@@ -1,20000 +1,20000 @@')
})
