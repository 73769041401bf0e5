/** Lines at the end of stderr that are redrawn in place; anything written meanwhile goes above them. */
import { inert, widthOf } from './text.ts'

let drawn: readonly string[] = []

/** Moves the cursor to the first drawn line and erases from there. A terminal that became narrower has wrapped them. */
function erased(): string {
  if (drawn.length === 0) return ''
  const columns = process.stderr.columns || 80
  const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(inert(line)) / columns)), 0)
  return `\u001b[${rows}A\r\u001b[J`
}

const text = () => drawn.map((line) => `${line}\n`).join('')

/** Draws these lines in place of the previous ones. They must fit: a line that wraps takes two. */
export function drawLive(lines: readonly string[]): void {
  const before = erased()
  drawn = lines
  // What the user types, such as ^C, is echoed below and would stay.
  process.stderr.write(`${before}${text()}\r\u001b[J`)
}

/** Leaves the lines as they are. */
export function endLive(): void {
  drawn = []
}

/** Writes to stderr, above the lines. The text ends with a newline. */
export function writeNote(note: string): void {
  process.stderr.write(`${erased()}${note}${text()}`)
}
