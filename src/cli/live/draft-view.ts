/** The answer that an agent is writing, on a terminal, in its place among the facts of the agent. */
import type { DraftChange } from '../../actors/agent/tasks/channel.ts'
import type { Terminal } from '../terminal/output.ts'
import { StreamedAnswer } from '../terminal/streamed-answer.ts'
import { inert } from '../terminal/text.ts'

export class DraftView {
  readonly #screen: Terminal
  readonly #answer: StreamedAnswer
  #draft: Pick<DraftChange, 'taskId' | 'text' | 'endedAt'> = { taskId: '', text: '' }
  /** The task whose call has begun, as far as the facts were shown. */
  #taskId: string | undefined
  /** What was shown of its answer. */
  #shown = ''
  /** Whether more of it may be told. */
  #isLive = false
  #changed = () => {}

  constructor(screen: Terminal) {
    this.#screen = screen
    this.#answer = new StreamedAnswer(screen)
  }

  /** null: nothing more is told of the draft. */
  take(change: DraftChange | null): void {
    this.#isLive = change !== null
    if (change) {
      const { taskId, at, text, tool, endedAt } = change
      const before = taskId === this.#draft.taskId ? this.#draft.text.slice(0, at) : ''
      this.#draft = { taskId, text: before + text, ...(endedAt === undefined ? {} : { endedAt }) }
      this.#show(at)
      if (tool !== undefined && taskId === this.#taskId) this.#say(`uses ${inert(tool)}`)
    }
    this.#changed()
  }

  /** A call of this task has begun. */
  begin(taskId: string): void {
    this.#taskId = taskId
    this.#show(0)
  }

  /** Something else is shown now. */
  pause(): void {
    this.#answer.end()
  }

  /** The log has the end of this task. Resolves with whether all of its answer was shown. */
  async end(taskId: string): Promise<boolean> {
    const isOf = () => this.#draft.taskId === taskId
    while (this.#isLive && isOf() && this.#draft.endedAt === undefined)
      await new Promise<void>((resolve) => (this.#changed = resolve))
    const isWhole = isOf() && this.#shown !== '' && this.#shown.length === this.#draft.endedAt
    this.#answer.end()
    this.#taskId = undefined
    this.#shown = ''
    return isWhole
  }

  /** @param at From where the draft is another one than before. */
  #show(at: number): void {
    const { taskId, text } = this.#draft
    if (taskId !== this.#taskId) return
    if (at < this.#shown.length && !text.startsWith(this.#shown)) {
      this.#answer.breakOff()
      this.#shown = ''
    }
    if (text.length > this.#shown.length) this.#answer.add(text.slice(this.#shown.length))
    this.#shown = text
  }

  #say(words: string): void {
    this.pause()
    this.#screen.progress(this.#screen.accent('dim', words))
  }
}
