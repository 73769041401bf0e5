/** Text that a terminal can show: nothing from a model or a file can move the cursor, and nothing is too long. */
import { stripVTControlCharacters } from 'node:util'
import { withoutHidden } from '../../events/hidden-characters.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text from outside, made harmless: no escape sequence, no hidden or control character but tab and newline. */
export function inert(text: string): string {
  return withoutHidden(stripVTControlCharacters(text).replace(CONTROL, ''), () => '')
}

/** One JSON value on one line, with hidden characters as escapes. */
export const jsonLine = (value: unknown): string => escapedJson(JSON.stringify(value))

/** JSON with hidden characters as escapes. Some terminals obey C1 control characters, which are legal in JSON. */
export function escapedJson(json: string): string {
  return withoutHidden(json.replace(/[\u007f-\u009f]/g, escaped), escaped)
}

const escaped = (character: string) =>
  Array.from({ length: character.length }, (_, at) => {
    const unit = character.charCodeAt(at)
    return `\\u${unit.toString(16).padStart(4, '0')}`
  }).join('')

/** Text from outside on one line of at most so many characters. */
export function cut(text: string, longest: number): string {
  const line = inert(text).replace(/\s+/g, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line
}

/** A line that a terminal of so many columns shows without wrapping. One that is too long loses its colours. */
export const fitting = (line: string, columns: number): string =>
  inert(line).length > columns ? inert(line).slice(0, columns - 1) : line
