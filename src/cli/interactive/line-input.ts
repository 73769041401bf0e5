/** Typed lines, with history and completion; pasted text is one line, however many it contains. */
import { appendFile, readFile } from 'node:fs/promises'
import { createInterface, type Interface } from 'node:readline'
import { Transform } from 'node:stream'
import { promptBelow } from '../terminal/live-lines.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g

/** Shown for a line break of pasted text while it is edited. */
const BREAK = '⏎'
const PASTE_BEGINS = '\u001b[200~'
const PASTE_ENDS = '\u001b[201~'
const LONGEST_HISTORY = 500

export interface LineInput {
  /** The next text; null at the end of the input, `interrupted` after Ctrl-C on an empty line. */
  next(prompt: string): Promise<string | null | 'interrupted'>
  close(): void
}

export interface LineInputOptions {
  /** Keeps the texts of earlier sessions. */
  readonly historyFile: string
  /** What the text up to the cursor can become. */
  readonly complete: (text: string) => Promise<readonly string[]>
  /** Ends the input. */
  readonly signal: AbortSignal
}

export async function lineInput({ historyFile, complete, signal }: LineInputOptions): Promise<LineInput> {
  let history = (await readFile(historyFile, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  history = history.slice(-LONGEST_HISTORY).reverse()
  process.stdout.write('\u001b[?2004h')

  return {
    async next(prompt) {
      // One interface per text: while an agent answers, the terminal is in its usual mode, and Ctrl-C is a signal.
      const input = pasteAware()
      const lines = createInterface({
        input,
        output: process.stdout,
        terminal: true,
        signal,
        history: [...history],
        historySize: LONGEST_HISTORY,
        removeHistoryDuplicates: true,
        completer: (text: string, done: (error: null, found: [string[], string]) => void) => {
          const last = text.slice(text.lastIndexOf(' ') + 1)
          complete(text).then(
            (found) => done(null, [found.filter((word) => word.startsWith(last)), last]),
            () => done(null, [[], last]),
          )
        },
      })
      try {
        const typed = await oneLine(lines, prompt)
        if (typed === null || typed === 'interrupted' || typed.trim() === '') return typed
        history = [typed, ...history.filter((line) => line !== typed)].slice(0, LONGEST_HISTORY)
        await appendFile(historyFile, `${typed}\n`, { mode: 0o600 }).catch(() => {})
        return typed.replaceAll(BREAK, '\n')
      } finally {
        lines.close()
        input.release()
      }
    },
    close() {
      process.stdout.write('\u001b[?2004l')
    },
  }
}

function oneLine(lines: Interface, prompt: string): Promise<string | null | 'interrupted'> {
  promptBelow({ rows: () => lines.getCursorPos().rows, redraw: () => lines.prompt(true) })
  return new Promise<string | null | 'interrupted'>((resolve) => {
    lines.on('line', resolve)
    lines.on('close', () => resolve(null))
    lines.on('SIGINT', () => {
      const isEmpty = lines.line === ''
      process.stdout.write('^C\n')
      if (isEmpty) return resolve('interrupted')
      resolve('')
    })
    lines.setPrompt(prompt)
    lines.prompt()
  }).finally(() => promptBelow(null))
}

/** The keyboard, with line breaks of pasted text replaced so that they do not end the line. */
function pasteAware(): Transform & { release(): void } {
  let isPasting = false
  let held = ''
  const input = new Transform({
    decodeStrings: false,
    encoding: 'utf8',
    transform(chunk, _, done) {
      let text = held + String(chunk)
      held = ''
      let out = ''
      for (;;) {
        const mark = isPasting ? PASTE_ENDS : PASTE_BEGINS
        const found = text.indexOf(mark)
        const piece = found < 0 ? text : text.slice(0, found)
        const kept = found < 0 && isPasting ? partOf(piece, mark) : 0
        held = piece.slice(piece.length - kept)
        const whole = piece.slice(0, piece.length - kept)
        out += isPasting ? pasted(whole) : whole
        if (found < 0) break
        isPasting = !isPasting
        text = text.slice(found + mark.length)
      }
      done(null, out)
    },
  })
  const { stdin } = process
  stdin.setEncoding('utf8')
  stdin.pipe(input)
  return Object.assign(input, {
    isTTY: true,
    setRawMode(mode: boolean) {
      stdin.setRawMode(mode)
      return input
    },
    release() {
      stdin.unpipe(input)
      stdin.pause()
    },
  })
}

/** No part of pasted text counts as a key, such as Ctrl-C or an arrow. */
const pasted = (text: string) =>
  text
    .replace(/\r\n|\r|\n/g, BREAK)
    .replaceAll('\t', '  ')
    .replace(CONTROL, '')

/** How many characters at the end of a piece may be the beginning of the mark. */
function partOf(piece: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, piece.length); length > 0; length -= 1)
    if (mark.startsWith(piece.slice(-length))) return length
  return 0
}
