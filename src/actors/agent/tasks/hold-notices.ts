/** Tells an asker that its task waits for somebody, and that it goes on. */
import type { EventEmitter } from 'node:events'
import type { Hold } from '../../../events/agent-facts.ts'
import type { HeldTask } from './held-task.ts'

export interface HoldListeners {
  /** Called when the task is held: it waits for a yes, or its next call does not fit into a budget. */
  readonly onHeld?: (held: HeldTask) => void
  /** Called when a task that was held goes on. */
  readonly onReleased?: () => void
}

/**
 * Listens to `held TASK` and `released TASK`. Returns how to stop that.
 *
 * @param describe What there is to be said of it.
 */
export function noticeHolds(
  events: EventEmitter,
  taskId: string,
  { onHeld, onReleased }: HoldListeners,
  describe: (hold: Hold) => Promise<HeldTask>,
): () => void {
  if (!onHeld && !onReleased) return () => {}
  let isHeld = false
  let told: string | undefined
  const held = (hold: Hold) => {
    isHeld = true
    // It is looked at again whenever something has changed.
    const why = JSON.stringify(hold)
    if (why === told) return
    told = why
    // It may have gone on, or ended, meanwhile; and what is being closed has nothing more to say.
    const tell = (task: HeldTask) => void (isHeld && onHeld?.(task))
    describe(hold).then(tell, () => {})
  }
  const released = () => {
    if (isHeld) onReleased?.()
    isHeld = false
    told = undefined
  }
  events.on(`held ${taskId}`, held).on(`released ${taskId}`, released)
  return () => {
    isHeld = false
    events.off(`held ${taskId}`, held).off(`released ${taskId}`, released)
  }
}
