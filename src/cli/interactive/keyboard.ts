/** The keyboard of an interactive session: its one reader, which keeps what is typed ahead until it is asked for. */
import type { ReadStream } from 'node:tty'
import { withoutHidden } from '../../events/hidden-characters.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g

/** Stands for a line break of pasted text while it is edited. */
export const BREAK = '⏎'
const PASTE_BEGINS = '\u001b[200~'
const PASTE_ENDS = '\u001b[201~'

/** After the beginning of a mark, for the rest of it. By itself it is a key: Escape. */
const ESCAPE_MS = 50

/** The keys up to the first one that may end a line, or all of them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are the keys
const LINE = /^[^\r\n\u0003\u0004]*[\r\n\u0003\u0004]?/

/** The keys of which a terminal in its usual mode makes signals: Ctrl-C, Ctrl-Z and Ctrl-\\. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are the keys
const SIGNAL_KEY = /[\u0003\u001a\u001c]/
const SIGNALS: Readonly<Record<string, NodeJS.Signals>> = { '\u001a': 'SIGTSTP', '\u001c': 'SIGQUIT' }

const keep = () => {}

export type Keys = Pick<
  ReadStream,
  'on' | 'off' | 'setEncoding' | 'setRawMode' | 'resume' | 'pause' | 'listenerCount'
>

/**
 * The terminal stays in raw mode: in its usual mode it would echo into an answer what is typed ahead, and drop what is
 * longer than 4096 characters. So Ctrl-C is a key as well.
 */
export class Keyboard {
  readonly #stdin: Keys
  /** Typed, and not read yet. Pasted text is part of one line. */
  #typed = ''
  /** The end of what was typed, if the mark of a paste may begin there. */
  #mark = ''
  #isPasting = false
  #hasEnded = false
  /** Who wants the keys now. */
  #read: () => void = keep
  #waiting: NodeJS.Timeout | undefined
  readonly #receive = (chunk: string) => {
    // A command with a screen of its own reads its keys itself.
    if (this.#stdin.listenerCount('keypress') > 0) return
    clearTimeout(this.#waiting)
    this.#typed += this.#unmarked(chunk)
    if (this.#mark !== '' && !this.#isPasting) this.#waiting = setTimeout(this.#unwait, ESCAPE_MS)
    this.#read()
  }
  readonly #unwait = () => {
    this.#typed += this.#mark
    this.#mark = ''
    this.#read()
  }
  readonly #end = () => {
    this.#hasEnded = true
    this.#read()
  }

  constructor(stdin: Keys) {
    this.#stdin = stdin
    stdin.setEncoding('utf8')
    stdin.on('data', this.#receive)
    stdin.on('end', this.#end)
  }

  /** Hands on the keys, line by line; at their end calls `onEnd`. */
  lines(onKeys: (keys: string) => void, onEnd: () => void): void {
    const read = () => {
      while (this.#read === read && this.#typed !== '') {
        const [keys = ''] = LINE.exec(this.#typed) ?? []
        this.#typed = this.#typed.slice(keys.length)
        onKeys(keys)
      }
      if (this.#read === read && this.#hasEnded) onEnd()
    }
    this.#begin(read)
  }

  /** Keeps the keys, except that signals are carried out. As in a terminal, they drop what was typed before them. */
  signals(onInterrupt: () => void): void {
    this.#begin(() => {
      for (let at = this.#typed.search(SIGNAL_KEY); at >= 0; at = this.#typed.search(SIGNAL_KEY)) {
        const signal = SIGNALS[this.#typed.charAt(at)]
        this.#typed = this.#typed.slice(at + 1)
        if (signal === undefined) onInterrupt()
        else this.#stop(signal)
      }
    })
  }

  /** Keeps all keys. */
  keep(): void {
    this.#read = keep
  }

  /** For the one who reads lines: gives the terminal back for a while. */
  setRawMode(mode: boolean): void {
    if (this.#read !== keep) this.#stdin.setRawMode(mode)
  }

  close(): void {
    clearTimeout(this.#waiting)
    this.#stdin.off('data', this.#receive)
    this.#stdin.off('end', this.#end)
    this.#stdin.setRawMode(false)
    this.#stdin.pause()
  }

  #begin(read: () => void): void {
    this.#read = read
    // A command with a screen of its own has left it otherwise.
    this.#stdin.setRawMode(true)
    this.#stdin.resume()
    read()
  }

  /** Gives the terminal back while this process stands still. */
  #stop(signal: NodeJS.Signals): void {
    this.#stdin.setRawMode(false)
    process.once('SIGCONT', () => this.#stdin.setRawMode(true))
    process.kill(process.pid, signal)
  }

  /** What was typed, without the marks around what was pasted and without line breaks within it. */
  #unmarked(chunk: string): string {
    let text = this.#mark + chunk
    let typed = ''
    for (;;) {
      const mark = this.#isPasting ? PASTE_ENDS : PASTE_BEGINS
      const found = text.indexOf(mark)
      const length = found < 0 ? text.length - partOf(text, mark) : found
      const piece = text.slice(0, length)
      typed += this.#isPasting ? pasted(piece) : piece
      if (found < 0) {
        this.#mark = text.slice(length)
        return typed
      }
      this.#isPasting = !this.#isPasting
      text = text.slice(found + mark.length)
    }
  }
}

/** No part of pasted text counts as a key, such as Ctrl-C or an arrow, and none is hidden: what is seen is what is asked. */
const pasted = (text: string) =>
  withoutHidden(
    text
      .replace(/\r\n|\r|\n/g, BREAK)
      .replaceAll('\t', '  ')
      .replace(CONTROL, ''),
    () => '',
  )

/** How many characters at the end of a text may be the beginning of the mark. */
function partOf(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length -= 1)
    if (mark.startsWith(text.slice(-length))) return length
  return 0
}
