/** Rows and columns for people: as wide as their content, cut to the terminal, coloured if it is. */
import type { Style, Terminal } from './output.ts'
import { cut, inert } from './text.ts'

export interface TableColumn {
  readonly head: string
  /** Figures stand at the right. */
  readonly right?: true
  /** The least width, so that a table that is drawn again and again does not jump. */
  readonly width?: number
  /** Whether its text is cut when the terminal is too narrow for the table. */
  readonly flexible?: true
}

export type Cell = string | number | readonly [style: Style, text: string]

type Screen = Pick<Terminal, 'style'> & Partial<Pick<Terminal, 'columns'>>

const GAP = '  '
const NARROWEST = 8

/** The lines of a table, the head included. */
export function table(
  screen: Screen,
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
): readonly string[] {
  const widths = widthsOf(screen, columns, rows)
  const line = (cells: readonly Cell[]) =>
    columns
      .map(({ right }, index) => {
        const [style, text] = partsOf(cells[index] ?? '')
        const width = widths[index] ?? 0
        const shown = text.length > width ? cut(text, width) : text
        const space = ' '.repeat(width - shown.length)
        const styled = style === null || shown === '' ? shown : screen.style(style, shown)
        return right ? space + styled : styled + space
      })
      .join(GAP)
      .trimEnd()
  return [screen.style('dim', line(columns.map(({ head }) => head))), ...rows.map(line)]
}

function widthsOf(
  { columns: screenWidth = null }: Screen,
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
): number[] {
  const widths = columns.map(({ head, width = 0 }, index) =>
    Math.max(head.length, width, ...rows.map((row) => partsOf(row[index] ?? '')[1].length)),
  )
  if (screenWidth === null) return widths
  let excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - screenWidth
  return widths.map((width, index) => {
    if (!columns[index]?.flexible || excess <= 0) return width
    const narrowed = Math.min(width, Math.max(NARROWEST, width - excess))
    excess -= width - narrowed
    return narrowed
  })
}

const partsOf = (cell: Cell): readonly [Style | null, string] =>
  typeof cell === 'object' ? [cell[0], onOneLine(cell[1])] : [null, onOneLine(String(cell))]

const onOneLine = (text: string) => cut(text, Number.POSITIVE_INFINITY)

const NAME_WIDTH = 14

/** Names with their values, one pair a line. */
export const details = (
  screen: Screen,
  pairs: readonly (readonly [name: string, value: string])[],
): readonly string[] =>
  pairs.map(([name, value]) => `${screen.style('dim', inert(name).padEnd(NAME_WIDTH))}${inert(value)}`)
