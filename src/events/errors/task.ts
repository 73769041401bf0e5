/** What can go wrong with a task that was accepted. */
import { ClaudeAgentError } from './base.ts'

/** The task ended because its asker called it off. */
export class TaskCancelledError extends ClaudeAgentError<{ agent: string; taskId: string; reason: string }> {
  readonly _tag = 'TaskCancelledError'
  constructor(details: { agent: string; taskId: string; reason: string }) {
    super(details, {
      message: `Task ${details.taskId} of agent "${details.agent}" was cancelled: ${details.reason}.`,
    })
  }
}

/** One task id was used for two different tasks. */
export class TaskConflictError extends ClaudeAgentError<{ agent: string; taskId: string }> {
  readonly _tag = 'TaskConflictError'
  constructor(details: { agent: string; taskId: string }) {
    super(details, {
      message: `Task id ${details.taskId} was given to agent "${details.agent}" before, with another input.`,
      hint: 'A task id stands for one task for ever: use a new one for a new task.',
    })
  }
}
