/** What reaches the terminal: data on stdout, everything about it on stderr, and nothing that a model or a file can
 * use to move the cursor. */
import { stripVTControlCharacters, styleText } from 'node:util'
import { writeNote } from './live-lines.ts'
import { asTyped } from './own-name.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text from outside, made harmless: no escape sequence, no control character but tab and newline. */
export function inert(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL, '')
}

/** One JSON value on one line. C1 control characters are legal in JSON, and some terminals obey them. */
export function jsonLine(value: unknown): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029]/g, escaped)
}

type Style = Parameters<typeof styleText>[0]

export interface Terminal {
  /** Whether the command prints JSON. */
  readonly json: boolean
  /** Whether the user watches: progress is shown then, and answers stream. */
  readonly interactive: boolean
  /** A line of data. What came from outside goes through `inert` first; only then can the rest be coloured. */
  line(text: string): void
  /** A piece of data as it comes; the same holds. */
  write(text: string): void
  /** A value as one line of JSON. */
  value(value: unknown): void
  /** A line about what goes on, for people: on stderr; the same holds. */
  note(text: string): void
  /** A line on what goes on, shown only to someone who watches. */
  progress(text: string): void
  /** For stdout, when it is coloured. */
  style(style: Style, text: string): string
  /** For stderr, when it is coloured. */
  accent(style: Style, text: string): string
}

export function terminal({ json, color }: { json: boolean; color: boolean }): Terminal {
  const coloured = (stream: NodeJS.WriteStream) => color && stream.isTTY && !process.env.NO_COLOR
  const paint = (stream: NodeJS.WriteStream) => (style: Style, text: string) =>
    coloured(stream) ? styleText(style, text, { validateStream: false }) : text
  const interactive = process.stdout.isTTY && !json
  return {
    json,
    interactive,
    line: (text) => void process.stdout.write(`${text}\n`),
    write: (text) => void process.stdout.write(text),
    value: (value) => void process.stdout.write(`${jsonLine(value)}\n`),
    note: (text) => writeNote(`${asTyped(text)}\n`),
    progress: (text) => void (process.stderr.isTTY && !json && process.stderr.write(`${asTyped(text)}\n`)),
    style: paint(process.stdout),
    accent: paint(process.stderr),
  }
}
