/** Text that a terminal can show: nothing from a model or a file can move the cursor, and nothing is too long. */
import { stripVTControlCharacters } from 'node:util'
import { withoutHidden } from '../../events/hidden-characters.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text from outside, made harmless: no escape sequence, no hidden or control character but tab and newline. */
export function inert(text: string): string {
  return withoutHidden(stripVTControlCharacters(text).replace(CONTROL, ''), () => '')
}

/** How many columns a terminal needs for a text without styles: two for a wide character or an emoji, none for a mark. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemes(text)) width += columnsOf(segment)
  return width
}

const PLAIN = /^[\u0020-\u007e]*$/

/** Made when first needed: it takes longer than most commands do without it. */
let segmenter: Intl.Segmenter | undefined
function graphemes(text: string) {
  segmenter ??= new Intl.Segmenter()
  return segmenter.segment(text)
}

/** East Asian wide and fullwidth characters, and what a terminal shows as an emoji by default. */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\p{Emoji}\ufe0f|\p{Regional_Indicator}{2})/u
const MARKS = /^[\p{Mark}\p{Default_Ignorable_Code_Point}]+$/u

const columnsOf = (grapheme: string) => (WIDE.test(grapheme) ? 2 : MARKS.test(grapheme) ? 0 : 1)

/** The longest beginning of a text that takes at most so many columns. */
function beginning(text: string, columns: number): string {
  if (PLAIN.test(text)) return text.slice(0, Math.max(0, columns))
  let kept = ''
  let width = 0
  for (const { segment } of graphemes(text)) {
    width += columnsOf(segment)
    if (width > columns) break
    kept += segment
  }
  return kept
}

/** A text without styles, filled with spaces to so many columns. */
export const padded = (text: string, columns: number): string =>
  text + ' '.repeat(Math.max(0, columns - widthOf(text)))

/** Text from outside on one line of at most so many columns. */
export function cut(text: string, longest: number): string {
  const line = inert(text).replace(/\s+/g, ' ').trim()
  return widthOf(line) > longest ? `${beginning(line, longest - 1)}…` : line
}

/** More than so many UTF-16 units a column are not looked at: a character may be made of many. */
const UNITS = 16

/** Text from outside in lines of at most so many columns, broken between words where it can be. */
export function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = []
  for (const line of inert(text).replaceAll('\t', '  ').split('\n')) {
    let rest = line
    for (;;) {
      // Most of a very long line is not measured again for each piece of it.
      const near = rest.slice(0, columns * UNITS)
      if (widthOf(near) <= columns) break
      const most = beginning(near, columns) || String.fromCodePoint(near.codePointAt(0) ?? 0)
      const space = most.lastIndexOf(' ')
      const piece = space > columns / 2 ? most.slice(0, space) : most
      lines.push(piece)
      rest = rest.slice(piece.length).replace(/^ /, '')
    }
    lines.push(rest)
  }
  return lines
}

/** The end of a text that is being typed, as far as it fits. */
export function ending(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let kept = ''
  for (const { segment } of [...graphemes(text)].reverse()) {
    if (widthOf(segment + kept) > columns - 1) break
    kept = segment + kept
  }
  return `…${kept}`
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a style begins with one
const STYLE = /(\u001b\[[\d;]*m)/

/** A line that a terminal of so many columns shows without wrapping; it keeps its styles. */
export function fitting(line: string, columns: number): string {
  const parts = line.split(STYLE)
  const isStyle = (index: number) => index % 2 === 1
  const width = parts.reduce((sum, part, index) => sum + (isStyle(index) ? 0 : widthOf(part)), 0)
  if (width <= columns) return line
  let left = columns - 1
  return parts
    .map((part, index) => {
      if (isStyle(index) || left < 0) return isStyle(index) ? part : ''
      const kept = beginning(part, left)
      left = kept === part ? left - widthOf(part) : -1
      return left < 0 ? `${kept}…` : kept
    })
    .join('')
}
