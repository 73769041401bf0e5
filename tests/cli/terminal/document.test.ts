/** A report keeps hostile text what it is: text. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MARKDOWN, PAGE } from '../../../src/cli/terminal/document.ts'
import { ending, widthOf, wrapped } from '../../../src/cli/terminal/text.ts'
import { shellWord } from '../../../src/events/errors/phrases.ts'

const piece = fc.constantFrom(
  ...[
    '<script>',
    '</pre>',
    '</title>',
    '-->',
    '"',
    "'",
    '&',
    '`',
    '```',
    '~~~',
    '\n',
    '\r\n',
    '|',
    '# ',
    '[x](y)',
  ],
  ...['\u001b[2J', '\u202e', '\u0007', '\u2028', '*', '_', '<!--', 'word', ' ', 'é', '漢', '🤖', '\\'],
)
const hostile = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))

test('on a page, no text is markup or hidden', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const page = [
        PAGE.begin(text).replace(/^[\s\S]*<title>/, ''),
        PAGE.block({ heading: text, id: text }),
        PAGE.block({ paragraph: text, tone: text }),
        PAGE.block({ text, summary: text }),
        PAGE.block({ items: [text] }),
        PAGE.block({ columns: [{ head: text }], rows: [[{ text, to: text }], [{ text, isCode: true }]] }),
      ].join('')
      const ours =
        /<\/?(?:title|style|head|body|h[12]|p|pre|details|summary|ul|li|table|thead|tbody|tr|th|td|code|a)(?: (?:id|class|href)="[^"<>]*")?>/g
      expect(page.replace(ours, '')).not.toMatch(/[<>]/)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
      expect(page).not.toMatch(/[\u001b\u0007\u202e]/)
    }),
  )
})

test('in Markdown, a text stays between its fences and a cell in its table', () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const [opens = '', ...lines] = MARKDOWN.block({ text }).trimEnd().split('\n')
      const fence = opens.replace('text', '')
      expect(lines.filter((line) => line.trim().startsWith(fence))).toEqual([fence])
      const rows = MARKDOWN.block({ columns: [{ head: 'One' }, { head: 'Two' }], rows: [[text, 'end']] })
      const [, , row = '', ...more] = rows.trimEnd().split('\n')
      expect(more).toEqual([])
      expect(row.match(/(?<!\\)(?:\\\\)*\|/g)).toHaveLength(3)
      expect(row.replaceAll('\\<', '')).not.toContain('<')
    }),
  )
})

test.each([
  ["mein Läden's", 'main'],
  ['two  spaces * `one` ``two`` | <b>', 'a_b'],
  ['it is: git -C, or so', 'end`'],
])('in Markdown, a command in a sentence is there as it is to be typed: %s', (directory, branch) => {
  const command = `git -C ${shellWord(`/x/${directory}`)} merge ${shellWord(branch)}`
  const said = `a, b: main is checked out in /x/${directory}. To take it over: ${command}. See *it*: npx claude-agents inbox, then decide.`
  for (const block of [{ paragraph: said }, { items: [said] }]) {
    const printed = MARKDOWN.block(block)
    const [, , shown] =
      /: (`+)( ?)(git -C '.*)\2\1\. See \\\*it\\\*: `npx claude-agents inbox`, then/
        .exec(printed)
        ?.slice(1) ?? []
    expect(shown, printed).toBe(command)
  }
})

test('in Markdown, nothing in a sentence ends its code', () => {
  const told = fc.constantFrom(': git -C ', "'", ' ', '`', '``', '\n', '\n\n', '<b>', '|', '.', 'word')
  fc.assert(
    fc.property(fc.array(told, { maxLength: 30 }), (pieces) => {
      const lines = MARKDOWN.block({ paragraph: pieces.join('') }).trimEnd()
      expect(lines).not.toContain('\n')
      // As CommonMark reads it: a row of backticks that are not escaped begins code, up to the next row of as many.
      const text = lines.replace(/(?<!\\)(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)/g, '')
      expect(text.replace(/\\[`<|]/g, '')).not.toMatch(/[`<]/)
    }),
  )
})

test('a text that is broken into lines loses nothing, and no line is too wide', () => {
  fc.assert(
    fc.property(hostile, fc.integer({ min: 2, max: 20 }), (text, columns) => {
      const lines = wrapped(text, columns)
      const solid = (shown: string) => shown.replace(/\s/g, '')
      expect(solid(lines.join(''))).toBe(solid(wrapped(text, 10_000).join('')))
      expect(lines.filter((line) => widthOf(line) > columns)).toEqual([])
      expect(widthOf(ending(lines[0] ?? '', columns))).toBeLessThanOrEqual(columns)
    }),
  )
})
