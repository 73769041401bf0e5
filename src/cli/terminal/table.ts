/** Rows and columns for people: as wide as their content, cut to the terminal, coloured if it is. */
import type { Style, Terminal } from './output.ts'
import { cut, inert, widthOf } from './text.ts'

export interface TableColumn {
  readonly head: string
  /** Figures stand at the right. */
  readonly right?: boolean
  /** The least width, so that a table that is drawn again and again does not jump. */
  readonly width?: number
  /** Whether its text is cut first when the terminal is too narrow for the table. */
  readonly flexible?: boolean
  /** Whether it is left out where the terminal has no room for it: the last such column first. */
  readonly spare?: boolean
}

export type Cell = string | number | readonly [style: Style, text: string]

export type TableScreen = Pick<Terminal, 'style'> & Partial<Pick<Terminal, 'columns'>>

const GAP = '  '
const NARROWEST = 8

/** A column of a table as it is shown. */
interface Place extends TableColumn {
  readonly index: number
  readonly shown: number
}

/** The lines of a table, the head included. None is wider than the screen. */
export function table(
  screen: TableScreen,
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
): readonly string[] {
  const places = placesOf(screen.columns ?? Number.POSITIVE_INFINITY, columns, rows)
  const line = (cells: readonly Cell[]) =>
    places
      .map(({ right, index, shown: width }) => {
        const [style, text] = partsOf(cells[index] ?? '')
        const shown = cut(text, width)
        const space = ' '.repeat(width - widthOf(shown))
        const styled = style === null || shown === '' ? shown : screen.style(style, shown)
        return right ? space + styled : styled + space
      })
      .join(GAP)
      .trimEnd()
  return [screen.style('dim', line(columns.map(({ head }) => head))), ...rows.map(line)]
}

function placesOf(
  available: number,
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
): readonly Place[] {
  const measured = (keepsLeast: boolean): readonly Place[] =>
    columns.map((column, index) => {
      const { head, width = 0 } = column
      const cells = rows.map((row) => widthOf(partsOf(row[index] ?? '')[1]))
      return { ...column, index, shown: Math.max(widthOf(head), keepsLeast ? width : 0, ...cells) }
    })
  const cutWidth = ({ flexible, shown }: Place) => (flexible ? Math.min(shown, NARROWEST) : shown)
  const isTooWide = (places: readonly Place[], of: (place: Place) => number) => total(places, of) > available
  let places = measured(true)
  if (isTooWide(places, cutWidth)) places = measured(false)
  while (isTooWide(places, cutWidth)) {
    const last = places.findLastIndex(({ spare }) => spare)
    if (last < 0) break
    places = places.toSpliced(last, 1)
  }
  places = narrowed(places, available, ({ flexible }) => flexible === true, NARROWEST)
  places = narrowed(places, available, ({ right }) => !right, NARROWEST / 2)
  while (isTooWide(places, ({ shown }) => shown) && places.length > 1) places = places.slice(0, -1)
  return narrowed(places, available, () => true, 1)
}

const total = (places: readonly Place[], of: (place: Place) => number) =>
  places.reduce((sum, place) => sum + of(place) + GAP.length, -GAP.length)

/** The places with some of them narrowed, one after another, as far as it is needed. */
function narrowed(
  places: readonly Place[],
  available: number,
  isNarrowed: (place: Place) => boolean,
  least: number,
): readonly Place[] {
  let excess = total(places, ({ shown }) => shown) - available
  return places.map((place) => {
    if (excess <= 0 || !isNarrowed(place)) return place
    const shown = Math.min(place.shown, Math.max(least, place.shown - excess))
    excess -= place.shown - shown
    return { ...place, shown }
  })
}

const partsOf = (cell: Cell): readonly [Style | null, string] =>
  typeof cell === 'object' ? [cell[0], onOneLine(cell[1])] : [null, onOneLine(String(cell))]

const onOneLine = (text: string) => cut(text, Number.POSITIVE_INFINITY)

const NAME_WIDTH = 14

/** Names with their values, one pair a line. */
export const details = (
  screen: TableScreen,
  pairs: readonly (readonly [name: string, value: string])[],
): readonly string[] =>
  pairs.map(([name, value]) => `${screen.style('dim', inert(name).padEnd(NAME_WIDTH))}${inert(value)}`)
