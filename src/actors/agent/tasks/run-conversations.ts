/**
 * Where the conversations of runs with an agent stand, as far as this process has seen them grow. A run knows that itself;
 * but of several tasks that it asks at once, one may be answered while the next is being accepted.
 */
import type { Recorded } from '../../../events/envelope.ts'
import type { QueuedTask } from '../state.ts'
import { endsTask } from './known-tasks.ts'

/** Runs beyond these begin to be forgotten, those first that were answered longest ago. */
const MOST_RUNS = 1000

export class RunConversations {
  /** The runs of the open tasks. */
  readonly #runOf = new Map<string, string>()
  /** The session of the last answer, by run. */
  readonly #sessions = new Map<string, string>()

  /** @param open The tasks that are open now. */
  constructor(open: readonly QueuedTask[]) {
    for (const task of open) this.#accept(task)
  }

  see(recorded: Recorded): void {
    const { type, data } = recorded
    if (type === 'TaskAccepted') this.#accept(data)
    const taskId = String(data.taskId)
    const runId = this.#runOf.get(taskId)
    if (runId === undefined) return
    if (type === 'CallSucceeded') this.#answer(runId, String(data.sessionId))
    if (endsTask(recorded, taskId)) this.#runOf.delete(taskId)
  }

  /** The session that a task of the run continues; undefined if this process has seen no answer to one. */
  of(runId: string | undefined): string | undefined {
    return runId === undefined ? undefined : this.#sessions.get(runId)
  }

  #accept({ taskId, runId, session }: { taskId?: unknown; runId?: unknown; session?: unknown }): void {
    if (session === 'run' && typeof runId === 'string') this.#runOf.set(String(taskId), runId)
  }

  #answer(runId: string, sessionId: string): void {
    this.#sessions.delete(runId)
    this.#sessions.set(runId, sessionId)
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size > MOST_RUNS && oldest !== undefined) this.#sessions.delete(oldest)
  }
}
