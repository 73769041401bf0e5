/** What a command prints: data on stdout, notes and progress on stderr, as JSON or for people. */
import { styleText } from 'node:util'
import { jsonLine } from '../../events/hidden-characters.ts'
import { writeData, writeNote } from './live-lines.ts'
import { asTyped } from './own-name.ts'
import { fitting } from './text.ts'

export type Style = Parameters<typeof styleText>[0]

/** Text from outside goes through `inert` before any of these prints or colours it. */
export interface Terminal {
  /** Whether the command prints JSON. */
  readonly json: boolean
  /** Whether a user is watching: progress is shown then, and answers stream. */
  readonly interactive: boolean
  /** The width of stdout at present; null when it is not a terminal. */
  readonly columns: number | null
  /** A line of data. */
  line(text: string): void
  /** A line of a list, cut to the width of a terminal. */
  row(text: string): void
  /** A piece of data as it arrives. */
  write(text: string): void
  /** A value as one line of JSON. */
  value(value: unknown): void
  /** A line for people, on stderr: with JSON, as `{ "note": ... }`. */
  note(text: string): void
  /** A line of progress, shown only when stderr is a terminal. */
  progress(text: string): void
  /** Colours text for stdout. */
  style(style: Style, text: string): string
  /** Colours text for stderr. */
  accent(style: Style, text: string): string
}

export function terminal({ json = false, color }: { json?: boolean; color: boolean }): Terminal {
  const { stdout, stderr } = process
  const paint = (stream: NodeJS.WriteStream) => (style: Style, text: string) =>
    color && !json && stream.isTTY && !process.env.NO_COLOR
      ? styleText(style, text, { validateStream: false })
      : text
  // A terminal that does not know its size says 0.
  const columns = () => (stdout.isTTY ? stdout.columns || 80 : null)
  const line = (text: string) => writeData(`${text}\n`)
  return {
    json,
    interactive: stdout.isTTY && !json,
    get columns() {
      return columns()
    },
    line,
    row: (text) => line(fitting(text, columns() ?? Number.POSITIVE_INFINITY)),
    write: writeData,
    value: (value) => writeData(`${jsonLine(value)}\n`),
    note: (text) => writeNote(`${json ? jsonLine({ note: asTyped(text) }) : asTyped(text)}\n`),
    progress: (text) => void (stderr.isTTY && !json && writeNote(`${asTyped(text)}\n`)),
    style: paint(stdout),
    accent: paint(stderr),
  }
}
