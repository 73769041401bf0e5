/** One channel for all that is heard of an agent's tasks: the messages of their calls, and when they are held, released or ended. */
import type { CallMessage } from '../../../claude/runner.ts'
import type { AgentFact, Hold, TaskOutcome } from '../../../events/agent-facts.ts'
import type { Identified } from '../../../events/envelope.ts'
import { callListener } from '../../../events/listener.ts'
import type { Part } from '../../engine/part.ts'
import type { HeldTask } from './held.ts'

/** A step of a run that asks: what it records in one append with its task. */
export interface AskingStep {
  /** Records that it is scheduled, with the acceptance of its task if that can begin at once. Returns the id of the fact.
   * No method if it already is. */
  schedule?(accepting?: Part): Promise<string>
  /** Records its answer, with that of the agent. */
  succeed(answering: Part, answer: Extract<AgentFact, { type: 'CallSucceeded' }>['data']): Promise<unknown>
}

/** What is heard of a task. */
export type TaskNews =
  | { readonly type: 'message'; readonly message: CallMessage }
  | { readonly type: 'held'; readonly hold: Hold }
  | { readonly type: 'released' }
  | { readonly type: 'ended'; readonly outcome: Identified<TaskOutcome> }
  /** How it ends will not be known in this process. */
  | { readonly type: 'given up'; readonly reason: unknown }

export interface ExpectedOutcome {
  readonly outcome: Promise<Identified<TaskOutcome>>
  /** The caller no longer waits. */
  forget(): void
}

export class TaskChannel {
  /** By task, which may have several. */
  readonly #listeners = new Map<string, Set<(news: TaskNews) => void>>()

  /** Whether anything listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0
  }

  tell(taskId: string, news: TaskNews): void {
    const listeners = this.#listeners.get(taskId)
    if (listeners) for (const listener of [...listeners]) listener(news)
  }

  /** No outcome will be known in this process. */
  giveUp(reason: unknown): void {
    for (const taskId of [...this.#listeners.keys()]) this.tell(taskId, { type: 'given up', reason })
  }

  /** Returns the function that stops listening. */
  listen(taskId: string, listener: (news: TaskNews) => void): () => void {
    const listeners = this.#listeners.get(taskId) ?? new Set()
    this.#listeners.set(taskId, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(taskId) === listeners) this.#listeners.delete(taskId)
    }
  }

  expect(taskId: string): ExpectedOutcome {
    let forget = () => {}
    const outcome = new Promise<Identified<TaskOutcome>>((resolve, reject) => {
      forget = this.listen(taskId, (news) => {
        if (news.type === 'ended') resolve(news.outcome)
        if (news.type === 'given up') reject(news.reason)
      })
    })
    // It may reject before the caller awaits it.
    outcome.catch(() => {})
    return { outcome, forget }
  }
}

export interface HoldListeners {
  /** Called when the task is held: it needs approval, or its next call does not fit into a budget. */
  readonly onHeld?: (held: HeldTask) => void
  /** Called when a held task resumes. */
  readonly onReleased?: () => void
}

/**
 * Tells the listeners of a task when it is held and released. Returns the function that stops it.
 *
 * @param describe Turns the hold into what the caller is told.
 */
export function noticeHolds(
  channel: TaskChannel,
  taskId: string,
  { onHeld, onReleased }: HoldListeners,
  describe: (hold: Hold) => Promise<HeldTask>,
): () => void {
  if (!onHeld && !onReleased) return () => {}
  let isHeld = false
  let lastReason: string | undefined
  const held = (hold: Hold) => {
    isHeld = true
    // A held task is reconsidered whenever something changes; the caller hears of each reason once.
    const reason = JSON.stringify(hold)
    if (reason === lastReason) return
    lastReason = reason
    // By then the task may have resumed or ended, or the store may be closing.
    const tell = (task: HeldTask) => isHeld && callListener(onHeld, task)
    describe(hold).then(tell, () => {})
  }
  const released = () => {
    if (isHeld) callListener(onReleased)
    isHeld = false
    lastReason = undefined
  }
  const ignore = channel.listen(taskId, (news) => {
    if (news.type === 'held') held(news.hold)
    if (news.type === 'released') released()
  })
  return () => {
    isHeld = false
    ignore()
  }
}
