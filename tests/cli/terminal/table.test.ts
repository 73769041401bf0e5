/** Rows and columns as a terminal shows them. */
import { expect, test } from 'vitest'
import { details, table } from '../../../src/cli/terminal/table.ts'

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

test('Only a flexible column is cut when the terminal is too narrow, and only there', () => {
  const rows = [['a-very-long-name-indeed', 'idle', 7]] as const
  expect(table({ ...plain, columns: 30 }, columns, rows)[1]).toBe('a-very-long-na…  idle        7')
  expect(table({ ...plain, columns: null }, columns, rows)[1]).toBe('a-very-long-name-indeed  idle        7')
})

test('Text from outside stays in its cell, without control sequences or line breaks', () => {
  expect(table(plain, columns, [['a\u001b[2J\nb', 'idle', 7]])[1]).toBe('a b   idle        7')
  expect(details(plain, [['status', '\u001b[31mred']])).toEqual(['status        red'])
})
