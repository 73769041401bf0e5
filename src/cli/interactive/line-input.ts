/** Typed lines, with history and completion; pasted text is one line, however many it contains. */
import { EventEmitter } from 'node:events'
import { appendFile } from 'node:fs/promises'
import { createInterface, type Interface } from 'node:readline'
import { withoutHidden } from '../../events/hidden-characters.ts'
import { isMissing, readPlainFile } from '../../store/directory.ts'
import { promptBelow } from '../terminal/live-lines.ts'
import { BREAK, Keyboard, type Keys } from './keyboard.ts'

const LONGEST_HISTORY = 500

export interface LineInput {
  /** The next text; null at the end of the input, `interrupted` after Ctrl-C on an empty line. `isKept`: in the history. */
  next(prompt: string, options?: { readonly isKept?: boolean }): Promise<string | null | 'interrupted'>
  /** Until the next text is asked for: calls back on Ctrl-C, and keeps what else is typed. */
  whileBusy(onInterrupt: () => void): void
  close(): void
}

export interface LineInputOptions {
  /** Keeps the texts of earlier sessions. */
  readonly historyFile: string
  /** What the text up to the cursor can become. */
  readonly complete: (text: string) => Promise<readonly string[]>
  /** Ends the input. */
  readonly signal: AbortSignal
  /** Default: those of the process. */
  readonly terminal?: { readonly stdin: Keys; readonly stdout: NodeJS.WritableStream }
}

export async function lineInput({
  historyFile,
  complete,
  signal,
  terminal: { stdin, stdout } = process,
}: LineInputOptions): Promise<LineInput> {
  // Writing into a pipe would wait for its reader.
  const kept = await readPlainFile(historyFile).then(String, (error) => (isMissing(error) ? '' : null))
  let history = (kept ?? '').split('\n').filter(Boolean)
  history = history.slice(-LONGEST_HISTORY).reverse()
  const keyboard = new Keyboard(stdin)

  return {
    async next(prompt, { isKept = true } = {}) {
      // A command with a screen of its own, or an editor, may have ended it.
      stdout.write('\u001b[?2004h')
      const keys = editorKeys((mode) => keyboard.setRawMode(mode))
      const lines = createInterface({
        input: keys,
        output: stdout,
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
      const read = await oneLine({ lines, keys, keyboard, prompt, stdout })
      lines.close()
      const typed = read === null ? null : withoutHidden(read, () => '')
      if (typed === null || typed === 'interrupted' || typed.trim() === '') return typed
      if (isKept) history = [typed, ...history.filter((line) => line !== typed)].slice(0, LONGEST_HISTORY)
      if (isKept && kept !== null)
        await appendFile(historyFile, `${typed}\n`, { mode: 0o600 }).catch(() => {})
      return typed.replaceAll(BREAK, '\n')
    },
    whileBusy: (onInterrupt) => keyboard.signals(onInterrupt),
    close() {
      keyboard.close()
      stdout.write('\u001b[?2004l')
    },
  }
}

interface Editing {
  readonly lines: Interface
  /** What the editor of the line reads. */
  readonly keys: EventEmitter
  readonly keyboard: Keyboard
  readonly prompt: string
  readonly stdout: NodeJS.WritableStream
}

function oneLine({ lines, keys, keyboard, prompt, stdout }: Editing): Promise<string | null | 'interrupted'> {
  promptBelow({ rows: () => lines.getCursorPos().rows, redraw: () => lines.prompt(true) })
  return new Promise((resolve) => {
    const finish = (typed: string | null) => {
      promptBelow(null)
      keyboard.keep()
      resolve(typed)
    }
    lines.on('line', finish)
    lines.on('close', () => finish(null))
    lines.on('SIGINT', () => {
      const isEmpty = lines.line === ''
      stdout.write('^C\n')
      finish(isEmpty ? 'interrupted' : '')
    })
    lines.setPrompt(prompt)
    lines.prompt()
    keyboard.lines(
      (typed) => keys.emit('data', typed),
      () => lines.close(),
    )
  })
}

/** A stream of keys for readline, which takes each before the next is handed on. */
function editorKeys(setRawMode: (mode: boolean) => void): NodeJS.ReadableStream {
  const keys = new EventEmitter()
  const same = () => keys
  return Object.assign(keys, { isTTY: true, setRawMode, resume: same, pause: same }) as never
}
