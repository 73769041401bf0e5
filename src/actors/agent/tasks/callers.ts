/** Notifies the callers of tasks when a task is held, released or ended. */
import type { EventEmitter } from 'node:events'
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

interface Caller {
  resolve(outcome: Identified<TaskOutcome>): void
  reject(error: unknown): void
}

export interface ExpectedOutcome {
  readonly outcome: Promise<Identified<TaskOutcome>>
  /** The caller no longer waits. */
  forget(): void
}

/** The callers that wait for outcomes. A task may have several. */
export class TaskOutcomes {
  readonly #callers = new Map<string, Set<Caller>>()

  expect(taskId: string): ExpectedOutcome {
    const callers = this.#callers.get(taskId) ?? new Set<Caller>()
    this.#callers.set(taskId, callers)
    let forget = () => {}
    const outcome = new Promise<Identified<TaskOutcome>>((resolve, reject) => {
      const caller: Caller = { resolve, reject }
      callers.add(caller)
      forget = () => {
        callers.delete(caller)
        if (callers.size === 0) this.#callers.delete(taskId)
      }
    })
    // It may reject before the caller awaits it.
    outcome.catch(() => {})
    return { outcome, forget }
  }

  settle(taskId: string, outcome: Identified<TaskOutcome>): void {
    for (const { resolve } of this.#callers.get(taskId) ?? []) resolve(outcome)
  }

  /** No outcome will be known in this process. */
  giveUp(error: unknown): void {
    for (const callers of this.#callers.values()) for (const { reject } of callers) reject(error)
  }
}

export interface HoldListeners {
  /** Called when the task is held: it needs approval, or its next call does not fit into a budget. */
  readonly onHeld?: (held: HeldTask) => void
  /** Called when a held task resumes. */
  readonly onReleased?: () => void
}

/**
 * Listens to `held TASK` and `released TASK`. Returns the function that stops listening.
 *
 * @param describe Turns the hold into what the caller is told.
 */
export function noticeHolds(
  events: EventEmitter,
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
  events.on(`held ${taskId}`, held).on(`released ${taskId}`, released)
  return () => {
    isHeld = false
    events.off(`held ${taskId}`, held).off(`released ${taskId}`, released)
  }
}
