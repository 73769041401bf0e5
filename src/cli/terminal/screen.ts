/** A screen of its own, driven by keys: drawn again whenever something has changed, and given back however it ends. */
import { emitKeypressEvents } from 'node:readline'
import { coverScreen } from './live-lines.ts'
import { fitting } from './text.ts'

/** A key as node's readline names it. */
export interface Key {
  readonly name?: string | undefined
  readonly sequence?: string | undefined
  readonly ctrl?: boolean | undefined
  /** It is part of what was pasted, which is text and no command. */
  readonly isPasted?: boolean
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface KeyedScreen {
  /**
   * Its lines; those that are too long are cut. The cursor is at the end of the last one while the user types there. null
   * ends it; nothing appears if that is what it begins with.
   */
  readonly draw: (size: Size) => Promise<Drawing | null> | Drawing | null
  /** Returns whether it stays. */
  readonly press: (key: Key) => boolean
  /** Calls back when it is to be drawn again; returns what ends that. */
  readonly follow?: (redraw: () => void) => () => void
}

export interface Drawing {
  readonly lines: readonly string[]
  readonly isTyping?: boolean
}

/** Whether there is a terminal to draw on and to read keys from. */
export const hasKeys = (): boolean =>
  process.stdin.isTTY && process.stdout.isTTY && process.env.TERM !== 'dumb'

/** With what is pasted between marks. */
const BEGIN = '\u001b[?1049h\u001b[?2004h\u001b[?25l'
const END = '\u001b[?25h\u001b[?2004l\u001b[?1049l'
const HOME = '\u001b[H'
const NEXT_LINE = '\u001b[K\r\n'
const REST = '\u001b[K\u001b[J'
const SHOW_CURSOR = '\u001b[?25h'
const HIDE_CURSOR = '\u001b[?25l'

/**
 * Draws until a key, the end of the input or the signal ends it. Ctrl-C is the signal SIGINT, as without raw mode. Other keys
 * that were pressed before it was first drawn do nothing.
 */
export async function showScreen(screen: KeyedScreen, signal: AbortSignal): Promise<void> {
  const { stdin, stdout } = process
  let keys: Key[] = []
  let isDrawn = false
  let isStale = true
  let isPasting = false
  let wake = () => {}
  const redraw = () => {
    isStale = true
    wake()
  }
  const onKey = (_: string | undefined, key: Key) => {
    if (key.name === 'paste-start' || key.name === 'paste-end') isPasting = key.name === 'paste-start'
    else if (key.ctrl && key.name === 'c' && !isPasting) process.emit('SIGINT', 'SIGINT')
    else if (key.ctrl && key.name === 'z' && !isPasting) suspend(redraw)
    else if (isDrawn) keys.push(isPasting ? { ...key, isPasted: true } : key)
    wake()
  }
  let isOver = false
  let stop = () => {}
  const stopped = new Promise<null>((resolve) => {
    stop = () => resolve(null)
  })
  const end = () => {
    isOver = true
    stop()
    wake()
  }
  const uncover = coverScreen()
  if (stdin.isTTY) {
    emitKeypressEvents(stdin)
    stdin.setRawMode(true)
    stdin.on('keypress', onKey)
    stdin.once('end', end)
    stdin.resume()
  }
  stdout.on('resize', redraw)
  signal.addEventListener('abort', end)
  const unfollow = screen.follow?.(redraw)
  try {
    while (!isOver && !signal.aborted) {
      const key = keys.shift()
      if (key !== undefined) {
        if (!screen.press(key)) return
        isStale = true
      } else if (isStale) {
        isStale = false
        // A terminal that does not know its size says 0.
        const size = { columns: stdout.columns || 80, rows: stdout.rows || 24 }
        const drawing = await Promise.race([screen.draw(size), stopped])
        if (drawing === null) return
        const { lines, isTyping = false } = drawing
        const shown = lines.slice(0, size.rows).map((line) => fitting(line, size.columns))
        stdout.write(
          `${isDrawn ? '' : BEGIN}${HOME}${shown.join(NEXT_LINE)}${REST}${isTyping ? SHOW_CURSOR : HIDE_CURSOR}`,
        )
        if (!isDrawn) keys = []
        isDrawn = true
      } else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    unfollow?.()
    signal.removeEventListener('abort', end)
    stdout.off('resize', redraw)
    if (isDrawn) stdout.write(END)
    if (stdin.isTTY) {
      stdin.off('keypress', onKey)
      stdin.off('end', end)
      stdin.setRawMode(false)
      stdin.pause()
    }
    uncover()
  }
}

/** Waits for a key. Resolves with null at the end of the input, and after Ctrl-C. */
export async function anyKey(): Promise<Key | null> {
  const { stdin } = process
  emitKeypressEvents(stdin)
  stdin.setRawMode(true)
  let onKey: (_: string | undefined, key: Key) => void = () => {}
  let onEnd = () => {}
  try {
    return await new Promise((resolve) => {
      onEnd = () => resolve(null)
      onKey = (_, key) => {
        const isInterrupt = key.ctrl && key.name === 'c'
        if (isInterrupt) process.emit('SIGINT', 'SIGINT')
        resolve(isInterrupt ? null : key)
      }
      stdin.once('keypress', onKey)
      stdin.once('end', onEnd)
      stdin.resume()
    })
  } finally {
    stdin.off('keypress', onKey)
    stdin.off('end', onEnd)
    stdin.setRawMode(false)
    stdin.pause()
  }
}

/** Ctrl-Z: gives the terminal back while this process stands still. */
function suspend(redraw: () => void): void {
  const { stdin, stdout } = process
  stdout.write(END)
  stdin.setRawMode(false)
  process.once('SIGCONT', () => {
    stdin.setRawMode(true)
    stdout.write(BEGIN)
    redraw()
  })
  process.kill(process.pid, 'SIGTSTP')
}
