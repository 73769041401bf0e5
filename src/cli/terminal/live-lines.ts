/**
 * What is on the screen while it changes: lines that are redrawn in place, an answer that is being written, a prompt at which
 * the user types. Nothing breaks into them: a note goes above, or waits until the line or the screen is free.
 */
import { inert, widthOf } from './text.ts'

let drawn: readonly string[] = []
/** Notes that wait. */
let waiting: readonly string[] = []
/** Whether stdout stands in the middle of a line. */
let isLineOpen = false
/** How many displays have the screen for themselves. */
let covers = 0
/** The prompt at which the user types. */
let prompt: Prompt | null = null

export interface Prompt {
  /** How many rows the cursor stands below the first one. */
  rows(): number
  redraw(): void
}

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

/** Writes data to stdout as it arrives: it may end in the middle of a line. */
export function writeData(piece: string): void {
  process.stdout.write(piece)
  if (piece === '' || !process.stdout.isTTY || !process.stderr.isTTY) return
  isLineOpen = !ENDS_LINE.test(piece)
  writeWaiting()
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours may end after the line does
const ENDS_LINE = /\n(\u001b\[[\d;]*m)*$/

/** Ends an open line, as before an error. */
export function endLine(): void {
  if (isLineOpen) writeData('\n')
}

/** Keeps notes back while something has the screen for itself. Returns the end of that. */
export function coverScreen(): () => void {
  covers += 1
  return () => {
    covers -= 1
    writeWaiting()
  }
}

/** Writes notes above this prompt until it is replaced, or null ends it. */
export function promptBelow(shown: Prompt | null): void {
  prompt = shown
}

/** Writes to stderr. The text ends with a newline. */
export function writeNote(note: string): void {
  if (waiting.length === 0) process.once('exit', flush)
  waiting = [...waiting, note]
  writeWaiting()
}

function writeWaiting(): void {
  if (isLineOpen || covers > 0 || waiting.length === 0) return
  flush()
}

function flush(): void {
  process.off('exit', flush)
  const notes = waiting.join('')
  waiting = []
  if (notes === '') return
  if (prompt === null || !process.stderr.isTTY)
    return void process.stderr.write(`${erased()}${notes}${text()}`)
  const rows = prompt.rows()
  process.stderr.write(`${rows > 0 ? `\u001b[${rows}A` : ''}\r\u001b[J${notes}`)
  prompt.redraw()
}
