/** Light Markdown for a terminal as it streams: headings, bullets, bold and code; everything else stays as it is. */
import type { Terminal } from './output.ts'

const BOLD = ['\u001b[1m', '\u001b[22m'] as const
const CODE = ['\u001b[36m', '\u001b[39m'] as const
const DIM = ['\u001b[2m', '\u001b[22m'] as const

/** The beginning of a line whose meaning is still open. */
const UNDECIDED = /^(\s*([-*+])?|\s*`{1,2}|#{1,6})$/
const FENCE = /^\s*```$/
const HEADING = /^#{1,6} $/
const BULLET = /^(\s*)[-*+] $/

export interface MarkdownStream {
  /** Takes a piece of an answer, already inert, and returns what to print. */
  take(piece: string): string
  /** Returns what is still held back, and closes everything open. */
  end(): string
}

/** Without colours the text stays as it is. */
export function markdownStream(terminal: Terminal): MarkdownStream {
  const isPlain = terminal.style('bold', 'x') === 'x'
  let held = ''
  let isLineStart = true
  let isFenced = false
  let isFenceLine = false
  let isHeading = false
  let isBold = false
  let isCode = false
  let hasStar = false

  const star = () => {
    const found = hasStar ? '*' : ''
    hasStar = false
    return found
  }

  /** A line closes everything it opened: a lone asterisk must not make the rest of the answer bold. */
  function endLine(): string {
    const closed =
      star() + (isCode ? CODE[1] : '') + (isBold || isHeading ? BOLD[1] : '') + (isFenceLine ? DIM[1] : '')
    isCode = false
    isBold = false
    isHeading = false
    isFenceLine = false
    isLineStart = true
    return closed
  }

  function inline(character: string): string {
    if (isFenced || isFenceLine) return character
    if (character === '`') {
      isCode = !isCode
      return star() + CODE[isCode ? 0 : 1]
    }
    if (character !== '*' || isCode) return star() + character
    if (!hasStar) {
      hasStar = true
      return ''
    }
    hasStar = false
    isBold = !isBold
    return isHeading ? '' : BOLD[isBold ? 0 : 1]
  }

  /** The beginning of a line, once its meaning is clear. */
  function begin(): string {
    const text = held
    held = ''
    isLineStart = false
    if (FENCE.test(text)) {
      isFenced = !isFenced
      isFenceLine = true
      return DIM[0] + text
    }
    if (isFenced) return text === '' ? '' : CODE[0] + text
    if (HEADING.test(text)) {
      isHeading = true
      return BOLD[0]
    }
    const [, indentation] = BULLET.exec(text) ?? []
    if (indentation !== undefined) return `${indentation}• `
    return [...text].map(inline).join('')
  }

  function one(character: string): string {
    if (character === '\n') {
      const begun = isLineStart ? begin() : ''
      const code = isFenced && !isFenceLine ? CODE[1] : ''
      return begun + code + endLine() + character
    }
    if (!isLineStart) return inline(character)
    held += character
    return UNDECIDED.test(held) ? '' : begin()
  }

  return {
    take: (piece) => (isPlain ? piece : [...piece].map(one).join('')),
    end() {
      if (isPlain) return ''
      return (isLineStart && held !== '' ? begin() : '') + endLine() + (isFenced ? CODE[1] : '')
    },
  }
}
