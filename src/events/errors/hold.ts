/** What can be wrong with a task that waits for somebody. */
import { ClaudeAgentError } from './base.ts'

/** The task was not approved: it has ended, and no call was made for it since it was held. */
export class TaskRejectedError extends ClaudeAgentError<{
  agent: string
  taskId: string
  by: string
  reason: string
}> {
  readonly _tag = 'TaskRejectedError'
  /** `by` and `reason` may be empty. */
  constructor(details: { agent: string; taskId: string; by: string; reason: string }) {
    const { agent, taskId, by, reason } = details
    super(details, {
      message: `Task ${taskId} of agent "${agent}" was rejected${by && ` by ${by}`}${reason && `: ${reason}`}.`,
    })
  }
}

/** Whoever asked does not want to wait. The task is kept. */
export class TaskHeldError extends ClaudeAgentError<{
  agent: string
  taskId: string
  reason: 'approval' | 'budget'
}> {
  readonly _tag = 'TaskHeldError'
  constructor(details: {
    agent: string
    taskId: string
    reason: 'approval' | 'budget'
    message: string
    hint: string
  }) {
    const { agent, taskId, reason, message, hint } = details
    super({ agent, taskId, reason }, { message: `${message} The task is kept.`, hint })
  }
}

/** There is nothing to approve or to reject. */
export class TaskNotHeldError extends ClaudeAgentError<{ taskId: string }> {
  readonly _tag = 'TaskNotHeldError'
  constructor(details: { taskId: string; agents?: readonly string[] }) {
    const { taskId, agents = [] } = details
    super(
      { taskId },
      agents.length > 1
        ? {
            message: `More than one agent has a task ${taskId} that waits for approval: ${agents.join(', ')}.`,
            hint: 'Name the agent: --agent ID.',
          }
        : { message: `No task ${taskId} waits for approval.`, hint: '(claude-agents agent held)' },
    )
  }
}

/** Whoever runs a workflow does not want to wait. The run is kept as it is. */
export class RunHeldError extends ClaudeAgentError<{ runId: string; tasks: number }> {
  readonly _tag = 'RunHeldError'
  constructor(details: { runId: string; tasks: number }) {
    const { runId, tasks } = details
    super(details, {
      message: `Run ${runId} waits: ${tasks === 1 ? 'a step of it is' : `${tasks} steps of it are`} held.`,
      hint: `See claude-agents agent held; when they may go on: claude-agents workflow resume ${runId}`,
    })
  }
}
