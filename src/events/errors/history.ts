/** What can go wrong when somebody looks back: places and times that the log does not have. */
import { ClaudeAgentError } from './base.ts'

export class VersionNotFoundError extends ClaudeAgentError<{
  stream: string
  version: number
  last: number
}> {
  readonly _tag = 'VersionNotFoundError'
  constructor(details: { stream: string; version: number; last: number }) {
    super(details, {
      message: `"${details.stream}" has no version ${details.version}: its last one is ${details.last}.`,
      hint: `Its versions: claude-agents replay ${details.stream}`,
    })
  }
}

/** A time at which there was nothing yet. */
export class BeforeFirstFactError extends ClaudeAgentError<{ stream: string; time: string; first: string }> {
  readonly _tag = 'BeforeFirstFactError'
  constructor(details: { stream: string; time: string; first: string }) {
    super(details, {
      message: `There was no "${details.stream}" at ${details.time}: its first fact is of ${details.first}.`,
      hint: 'Times without a zone are those of this machine; 2026-01-31T12:00:00Z is in UTC.',
    })
  }
}

export class PositionNotFoundError extends ClaudeAgentError<{ position: number; last: number }> {
  readonly _tag = 'PositionNotFoundError'
  constructor(details: { position: number; last: number }) {
    super(details, {
      message: `There is no fact at position ${details.position}: the log ends with ${details.last}.`,
      hint: 'The first column of claude-agents log is the position.',
    })
  }
}

export class TaskNotFoundError extends ClaudeAgentError<{ taskId: string }> {
  readonly _tag = 'TaskNotFoundError'
  constructor(details: { taskId: string }) {
    super(details, {
      message: `No agent was ever given a task ${details.taskId}.`,
      hint: 'The facts of an agent name its tasks: claude-agents log --stream agent/ID',
    })
  }
}

/** A run has no such step, or none that could be named by that. */
export class StepNotFoundError extends ClaudeAgentError<{ runId: string; step: string }> {
  readonly _tag = 'StepNotFoundError'
  constructor(details: { runId: string; step: string; steps: number }) {
    super(details, {
      message: `Run "${details.runId}" has no step ${details.step}; it has ${details.steps} steps.`,
      hint: `Steps are counted from 1, or named by their keys: claude-agents workflow show ${details.runId}`,
    })
  }
}

/** An agent as it was then cannot be branched off. */
export class CannotForkError extends ClaudeAgentError<{ what: string }> {
  readonly _tag = 'CannotForkError'
  constructor(details: { what: string; problem: string; hint?: string }) {
    super(details, {
      message: `${details.what} cannot be forked: ${details.problem}.`,
      ...(details.hint === undefined ? {} : { hint: details.hint }),
    })
  }
}
