/** How long a task may still be worked on. The time in which no process had it does not count. */
import { waitLeft } from '../../clock.ts'
import type { AgentConfig } from '../../events/options/agent.ts'
import type { CurrentTask } from './state.ts'

type Timed = Pick<AgentConfig, 'timeoutMs'> | null

/** How much time a task had when its call or its wait began, in ms. */
const grantedMs = ({ deadlineInMs, call }: CurrentTask, config: Timed): number =>
  call?.leftMs ?? deadlineInMs ?? config?.timeoutMs ?? 0

/** How much time a task has until its deadline, in ms: never more than it had when its call or its wait began. */
export const deadlineLeftMs = (task: CurrentTask, config: Timed, now: number): number =>
  waitLeft(task.deadlineAt, grantedMs(task, config), now)

/**
 * The time of an agent's task that does not count. What an earlier process had begun, this one begins again, or waits for:
 * from then on the task has the time that it had at that beginning.
 */
export class IdleTime {
  #of: { readonly taskId: string; readonly deadlineAt: string; readonly ms: number } | undefined

  /** A task has a call, or waits for one. Said again of the same deadline, nothing changes. */
  take(
    task: CurrentTask,
    config: Timed,
    { now, resumed }: { readonly now: number; readonly resumed: boolean },
  ): void {
    const { taskId, deadlineAt } = task
    if (this.#isOf(task)) return
    const began = Date.parse(deadlineAt) - grantedMs(task, config)
    this.#of = { taskId, deadlineAt, ms: resumed ? now - began : 0 }
  }

  /** By how many ms the deadline of a task has moved. */
  of(task: Pick<CurrentTask, 'taskId' | 'deadlineAt'> | null): number {
    return task && this.#of && this.#isOf(task) ? this.#of.ms : 0
  }

  #isOf({ taskId, deadlineAt }: Pick<CurrentTask, 'taskId' | 'deadlineAt'>): boolean {
    return this.#of?.taskId === taskId && this.#of.deadlineAt === deadlineAt
  }
}
