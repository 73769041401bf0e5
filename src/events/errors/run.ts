/** What can be wrong with asking for a run. */
import { ClaudeAgentError } from './base.ts'

export class RunNotFoundError extends ClaudeAgentError<{ runId: string }> {
  readonly _tag = 'RunNotFoundError'
  constructor(details: { runId: string }) {
    super(details, { message: `There is no run "${details.runId}".`, hint: '(claude-agents workflow list)' })
  }
}

/** A run that has come to its end is not gone on with. */
export class RunFinishedError extends ClaudeAgentError<{ runId: string; status: string }> {
  readonly _tag = 'RunFinishedError'
  constructor(details: { runId: string; status: string }) {
    super(details, {
      message: `Run ${details.runId} has ${details.status === 'cancelled' ? 'been cancelled' : 'succeeded'} and cannot be gone on with.`,
      hint: `Look at it: claude-agents workflow show ${details.runId}`,
    })
  }
}

/** One run id was used for two different inputs. */
export class RunConflictError extends ClaudeAgentError<{ runId: string }> {
  readonly _tag = 'RunConflictError'
  constructor(details: { runId: string }) {
    super(details, {
      message: `There is a run ${details.runId} already, with another input.`,
      hint: 'A run id stands for one input for ever: use a new one for a new input.',
    })
  }
}

/** A run goes on in this process already. */
export class RunActiveError extends ClaudeAgentError<{ runId: string }> {
  readonly _tag = 'RunActiveError'
  constructor(details: { runId: string }) {
    super(details, { message: `Run ${details.runId} is running.`, hint: 'Wait for it, or pause it first.' })
  }
}

/** The run was paused or cancelled before it came to its end. */
export class RunInterruptedError extends ClaudeAgentError<{ runId: string; paused: boolean }> {
  readonly _tag = 'RunInterruptedError'
  constructor(details: { runId: string; paused: boolean; reason: string }) {
    const { runId, paused, reason } = details
    super(
      { runId, paused },
      {
        message: `Run ${runId} was ${paused ? 'paused' : 'cancelled'}: ${reason}.`,
        ...(paused ? { hint: `Go on with it: claude-agents workflow resume ${runId}` } : {}),
      },
    )
  }
}
