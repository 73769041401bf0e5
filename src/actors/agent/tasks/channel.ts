/** One channel for all that is heard of an agent's tasks: the messages of their calls, and when they are held, released or ended. */
import type { CallMessage } from '../../../claude/runner.ts'
import type { AgentFact, TaskOutcome } from '../../../events/agent-facts.ts'
import type { Identified } from '../../../events/envelope.ts'
import { callListener } from '../../../events/listener.ts'
import type { Part } from '../../engine/part.ts'
import type { AnyHold } from './deferral.ts'
import type { HeldTask } from './held.ts'

export interface HoldListeners {
  /** Called when the task is held: it needs approval, its next call does not fit into a budget, or it waits at a tool call. */
  readonly onHeld?: (held: HeldTask) => void
  /** Called when a held task resumes. */
  readonly onReleased?: () => void
}

export type AnswerData = Extract<AgentFact, { type: 'CallSucceeded' }>['data']

/** A step of a run that asks: what it records in one append with its task. It hears when that is held. */
export interface AskingStep extends HoldListeners {
  readonly isScheduled: boolean
  /** Whether its task was named just now: no agent can have it. */
  readonly isNew: boolean
  /** Records that it is scheduled, with the acceptance of its task if that can begin at once. Returns the id of the fact. */
  schedule(accepting?: Part): Promise<string>
  /** Records its answer, with that of the agent. */
  succeed(answering: Part, answer: AnswerData): Promise<unknown>
}

/** What is heard of a task. */
export type TaskNews =
  | { readonly type: 'message'; readonly message: CallMessage }
  | { readonly type: 'held'; readonly hold: AnyHold }
  | { readonly type: 'released' }
  | { readonly type: 'ended'; readonly outcome: Identified<TaskOutcome> }
  /** How it ends will not be known in this process. */
  | { readonly type: 'given up'; readonly reason: unknown }

type Listener = (news: TaskNews) => void

/**
 * What has changed in an answer that is being written. It is not durable: a reader may miss some of it, and the log has the
 * whole answer once its task has ended.
 *
 * @example
 * let text = ''
 * for await (const { at, text: more } of agent.drafts()) text = text.slice(0, at) + more
 */
export interface DraftChange {
  readonly taskId: string
  /** From this character on, the draft is `text`: what was there before is taken back. */
  readonly at: number
  readonly text: string
  /** The tool that the agent uses now. */
  readonly tool?: string
  /** The task has ended, and this is how many characters its draft had. */
  readonly endedAt?: number
}

/** In characters. Of a longer answer, readers of drafts get the beginning. */
const LONGEST_DRAFT = 1024 * 1024
const NO_DRAFT = { taskId: '', text: '', characters: 0, tool: '', tools: 0, isOver: true }

export class TaskChannel {
  /** By task, which may have several. No set is empty. */
  readonly #listeners = new Map<string, Set<Listener>>()
  /** The answer that is being written, or the last one. Another one is in its place once some of it is taken back. */
  #draft = NO_DRAFT

  /**
   * The answer that is being written, and then each change of it, as fast as the reader takes them: what it has not taken is
   * not kept for it. Ends when the signal aborts, or when nothing more will be known in this process.
   */
  async *drafts(signal?: AbortSignal): AsyncGenerator<DraftChange> {
    let isEnded = false
    let wake = () => {}
    const leave = () => wake()
    const forget = this.listen(EVERY, (news) => {
      isEnded ||= news.type === 'given up'
      wake()
    })
    signal?.addEventListener('abort', leave)
    let read = this.#draft
    let { tools } = read
    // One that is complete is in the log.
    let at: number | undefined = read.isOver ? read.text.length : undefined
    let { isOver } = read
    try {
      while (!isEnded && !signal?.aborted) {
        const draft = this.#draft
        if (draft !== read) {
          if (draft.taskId !== read.taskId) tools = 0
          at = undefined
          isOver = false
          read = draft
        }
        const { taskId, text, characters, tool } = draft
        if (at === text.length && tools === draft.tools && isOver === draft.isOver) {
          await new Promise<void>((resolve) => (wake = resolve))
          continue
        }
        const change: DraftChange = {
          ...{ taskId, at: at ?? 0, text: text.slice(at) },
          ...(tools < draft.tools && { tool }),
          ...(draft.isOver && { endedAt: characters }),
        }
        at = text.length
        tools = draft.tools
        isOver = draft.isOver
        yield change
      }
    } finally {
      forget()
      signal?.removeEventListener('abort', leave)
    }
  }

  /** Whether anything listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0
  }

  /** Tells what a call of the task says. */
  say(taskId: string, message: CallMessage): void {
    this.#draw(taskId, message)
    this.tell(taskId, { type: 'message', message })
  }

  /** What an earlier call of the task said does not count: the next one says it again. */
  takeBack(taskId: string): void {
    const { taskId: drafted, characters } = this.#draft
    if (taskId === drafted && characters > 0) this.say(taskId, { type: 'retract', characters })
  }

  tell(taskId: string, news: TaskNews): void {
    if (news.type === 'ended' && taskId === this.#draft.taskId) this.#draft.isOver = true
    for (const listener of this.#listeners.get(taskId) ?? NONE) listener(news)
    for (const listener of this.#listeners.get(EVERY) ?? NONE) listener(news)
  }

  #draw(taskId: string, message: CallMessage): void {
    if (this.#draft.taskId !== taskId) this.#draft = { ...NO_DRAFT, taskId, isOver: false }
    const draft = this.#draft
    if (message.type === 'text') {
      const isWhole = draft.text.length === draft.characters
      draft.characters += message.text.length
      if (isWhole && draft.characters <= LONGEST_DRAFT) draft.text += message.text
    } else if (message.type === 'retract') {
      const characters = draft.characters - message.characters
      this.#draft = { ...draft, characters, text: draft.text.slice(0, Math.max(0, characters)) }
    } else if (message.type === 'tool') {
      draft.tool = message.name
      draft.tools += 1
    }
  }

  /** No outcome will be known in this process. */
  giveUp(reason: unknown): void {
    for (const taskId of [...this.#listeners.keys()]) this.tell(taskId, { type: 'given up', reason })
  }

  /** Returns the function that stops listening. */
  listen(taskId: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(taskId) ?? new Set()
    this.#listeners.set(taskId, listeners.add(listener))
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#listeners.delete(taskId)
    }
  }
}

const NONE: ReadonlySet<Listener> = new Set()
/** Who listens to every task. No task has this id. */
const EVERY = ''

/** A caller that waits for the outcome of a task, and hears when it is held and released. */
export class TaskCaller {
  readonly #listeners: HoldListeners
  readonly #describe: (hold: AnyHold) => Promise<HeldTask>
  readonly #ignore: () => void
  #end: Extract<TaskNews, { readonly type: 'ended' | 'given up' }> | undefined
  #ended = () => {}
  #isHeld = false
  #lastHold: string | undefined

  /** @param describe Turns the hold into what the caller is told. */
  constructor(
    channel: TaskChannel,
    taskId: string,
    listeners: HoldListeners,
    describe: (hold: AnyHold) => Promise<HeldTask>,
  ) {
    this.#listeners = listeners
    this.#describe = describe
    this.#ignore = channel.listen(taskId, this.#hear)
  }

  /** How the task ends. Rejects if that will not be known in this process. */
  async outcome(): Promise<Identified<TaskOutcome>> {
    if (!this.#end) await new Promise<void>((resolve) => (this.#ended = resolve))
    if (this.#end?.type === 'ended') return this.#end.outcome
    throw this.#end?.reason
  }

  /** It no longer waits. */
  leave(): void {
    this.#isHeld = false
    this.#ignore()
  }

  readonly #hear = (news: TaskNews): void => {
    switch (news.type) {
      case 'held':
        this.#held(news.hold)
        return
      case 'released':
        if (this.#isHeld) callListener(() => this.#listeners.onReleased?.())
        this.#isHeld = false
        this.#lastHold = undefined
        return
      case 'ended':
      case 'given up':
        this.#end ??= news
        this.#ended()
    }
  }

  #held(hold: AnyHold): void {
    this.#isHeld = true
    // A held task is reconsidered whenever something changes; the caller hears of each reason once.
    const reason = JSON.stringify(hold)
    if (reason === this.#lastHold) return
    this.#lastHold = reason
    if (!this.#listeners.onHeld) return
    // By then the task may have resumed or ended, or the store may be closing.
    const tell = (task: HeldTask) => this.#isHeld && callListener(() => this.#listeners.onHeld?.(task))
    this.#describe(hold).then(tell, () => {})
  }
}
