/** An answer on a terminal as it arrives. */
import { markdownStream } from './markdown-stream.ts'
import type { Terminal } from './output.ts'
import { inert } from './text.ts'

export class StreamedAnswer {
  readonly #terminal: Terminal
  #markdown: ReturnType<typeof markdownStream>
  /** Whether its last line is not complete. */
  #isOpen = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
    this.#markdown = markdownStream(terminal)
  }

  add(piece: string): void {
    this.#terminal.write(this.#markdown.take(inert(piece)))
    this.#isOpen = true
  }

  /** Completes its line: something else comes in between, or nothing any more. Returns whether there was one. */
  end(): boolean {
    if (!this.#isOpen) return false
    this.#isOpen = false
    this.#terminal.line(this.#markdown.end())
    this.#markdown = markdownStream(this.#terminal)
    return true
  }

  /** What was shown does not count. */
  breakOff(): void {
    if (this.end())
      this.#terminal.progress(this.#terminal.accent('yellow', 'The answer broke off. It begins again:'))
  }
}
