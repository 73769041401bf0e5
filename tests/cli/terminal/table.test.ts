/** Rows and columns as a terminal shows them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { details, table } from '../../../src/cli/terminal/table.ts'
import { cut, fitting, widthOf } from '../../../src/cli/terminal/text.ts'

const plain = { style: (_: unknown, text: string) => text }
const marked = { style: (style: unknown, text: string) => `<${style}>${text}</>` }
const columns = [
  { head: 'NAME', flexible: true },
  { head: 'STATE', width: 7 },
  { head: 'COST', right: true },
] as const

test('Columns are as wide as their content, or as their least width, and figures stand at the right', () => {
  expect(table(plain, columns, [['writer', 'idle', '$0.5000']])).toEqual([
    'NAME    STATE       COST',
    'writer  idle     $0.5000',
  ])
})

test('Colours do not count as width', () => {
  expect(table(marked, columns, [['a', ['red', 'failed'], 7]])).toEqual([
    '<dim>NAME  STATE    COST</>',
    'a     <red>failed</>      7',
  ])
})

test('A flexible column is cut first when the terminal is too narrow, and only there', () => {
  const rows = [['a-very-long-name-indeed', 'idle', 7]] as const
  expect(table({ ...plain, columns: 30 }, columns, rows)[1]).toBe('a-very-long-na…  idle        7')
  expect(table({ ...plain, columns: null }, columns, rows)[1]).toBe('a-very-long-name-indeed  idle        7')
})

test('Text from outside stays in its cell, without control sequences or line breaks', () => {
  expect(table(plain, columns, [['a\u001b[2J\nb', 'idle', 7]])[1]).toBe('a b   idle        7')
  expect(details(plain, [['status', '\u001b[31mred']])).toEqual(['status        red'])
})

test('A terminal shows wide characters and emoji in two columns, and marks in none', () => {
  for (const [text, width] of [
    ['writer', 6],
    ['日本語', 6],
    ['한국어', 6],
    ['ｗ', 2],
    ['ｱ', 1],
    ['e\u0301', 1],
    ['🦀', 2],
    ['👩‍👩‍👧', 2],
    ['❤️', 2],
    ['🇨🇭', 2],
    ['—…→', 3],
  ] as const)
    expect([text, widthOf(text)]).toEqual([text, width])
  expect(cut('日本語', 5)).toBe('日本…')
  expect(cut('日本語', 4)).toBe('日…')
  expect(table(plain, columns, [['日本', 'idle', 7]])[1]).toBe('日本  idle        7')
})

test('Where a column cannot be cut any further, spare columns are left out, the last one first', () => {
  const wide = [{ head: 'ID' }, { head: 'TASKS', right: true, spare: true }, { head: 'COST', right: true }]
  const rows = [['0123456789', 3, '$0.50']] as const
  expect(table({ ...plain, columns: 24 }, wide, rows)[1]).toBe('0123456789      3  $0.50')
  expect(table({ ...plain, columns: 23 }, wide, rows)[1]).toBe('0123456789  $0.50')
  expect(table({ ...plain, columns: 14 }, wide, rows)[1]).toBe('012345…  $0.50')
})

test('A line that is too long for the terminal keeps its colours and ends with an ellipsis', () => {
  expect(fitting('\u001b[31mred\u001b[39m and more', 8)).toBe('\u001b[31mred\u001b[39m and…')
  expect(fitting('\u001b[31mlonger\u001b[39m', 4)).toBe('\u001b[31mlon…\u001b[39m')
  expect(fitting('\u001b[31mred\u001b[39m and', 7)).toBe('\u001b[31mred\u001b[39m and')
})

const cell = fc.string({
  unit: fc.constantFrom('a', 'B', '7', ' ', '日', '🦀', 'e\u0301', '\u202e', '\u001b[2J', '\n'),
  maxLength: 30,
})
const column = fc.record(
  { head: cell, right: fc.boolean(), flexible: fc.boolean(), spare: fc.boolean(), width: fc.nat(20) },
  { requiredKeys: ['head'] },
)

test('Whatever its content: no line of a table is wider than the screen, and its columns are aligned', () => {
  fc.assert(
    fc.property(
      fc.array(column, { minLength: 1, maxLength: 8 }),
      fc.array(fc.array(cell, { minLength: 8, maxLength: 8 }), { maxLength: 5 }),
      fc.constantFrom(10, 40, 60, 80, 200),
      (made, rows, width) => {
        for (const line of table({ ...plain, columns: width }, made as never, rows)) {
          expect(widthOf(line)).toBeLessThanOrEqual(width)
          for (const unsafe of ['\n', '\u001b', '\u202e']) expect(line).not.toContain(unsafe)
        }
        for (const text of rows.flat()) expect(widthOf(cut(text, width))).toBeLessThanOrEqual(width)
      },
    ),
  )
})
