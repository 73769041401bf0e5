import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { markdownStream } from '../../../src/cli/terminal/markdown-stream.ts'
import type { Terminal } from '../../../src/cli/terminal/output.ts'

const coloured = { style: (_: unknown, text: string) => `\u001b[1m${text}\u001b[22m` } as Terminal
const plain = { style: (_: unknown, text: string) => text } as Terminal

function rendered(pieces: readonly string[], terminal = coloured): string {
  const stream = markdownStream(terminal)
  return pieces.map((piece) => stream.take(piece)).join('') + stream.end()
}
const named = (text: string) =>
  text
    .replaceAll('\u001b[1m', '<b>')
    .replaceAll('\u001b[22m', '</b>')
    .replaceAll('\u001b[36m', '<c>')
    .replaceAll('\u001b[39m', '</c>')
    .replaceAll('\u001b[2m', '<dim>')

describe('an answer in the terminal', () => {
  test.each([
    ['# A **bold** title\ntext', '<b>A bold title</b>\ntext'],
    ['some **bold** and `code` here', 'some <b>bold</b> and <c>code</c> here'],
    ['- one\n  * two\n-three', '• one\n  • two\n-three'],
    ['2 * 3 * 4', '2 * 3 * 4'],
    ['an **open end\nnext', 'an <b>open end</b>\nnext'],
    ['#hashtag', '#hashtag'],
    ['a `b**c**` d', 'a <c>b**c**</c> d'],
    ['```ts\nlet **a** = `x`\n```\nend', '<dim>```ts</b>\n<c>let **a** = `x`</c>\n<dim>```</b>\nend'],
  ])('shows %j', (text, shown) => {
    expect(named(rendered([text]))).toBe(shown)
  })

  test('is the same however it is split, and loses nothing but marks', () => {
    const pieces = fc.array(fc.constantFrom('#', ' ', '*', '**', '`', '```', '\n', '- ', 'word', 'é'))
    fc.assert(
      fc.property(pieces, (cut) => {
        const whole = rendered([cut.join('')])
        expect(rendered(cut)).toBe(whole)
        expect(rendered([...cut.join('')])).toBe(whole)
        expect(rendered(cut, plain)).toBe(cut.join(''))
        const words = (text: string) => text.replace(/[#*`\s•-]/g, '')
        expect(words(stripVTControlCharacters(whole))).toBe(words(cut.join('')))
      }),
      { seed: 20261123 },
    )
  })
})
