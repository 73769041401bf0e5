/** What can go wrong with an agent: it is unknown, taken, stopped, busy or full. */
import { ClaudeAgentError } from './base.ts'

export class AgentNotFoundError extends ClaudeAgentError<{ agent: string; nearest: string | null }> {
  readonly _tag = 'AgentNotFoundError'
  constructor(details: { agent: string; nearest: string | null }) {
    const guess = details.nearest === null ? '' : ` Did you mean "${details.nearest}"?`
    super(details, { message: `No agent "${details.agent}".${guess}`, hint: '(claude-agents agent list)' })
  }
}

export class AgentExistsError extends ClaudeAgentError<{ agent: string }> {
  readonly _tag = 'AgentExistsError'
  constructor(details: { agent: string }) {
    super(details, {
      message: `Agent "${details.agent}" exists already.`,
      hint: `Choose another id, or remove it first (claude-agents agent remove ${details.agent}).`,
    })
  }
}

export class AgentStoppedError extends ClaudeAgentError<{ agent: string }> {
  readonly _tag = 'AgentStoppedError'
  constructor(details: { agent: string }) {
    super(details, {
      message: `Agent "${details.agent}" is stopped and takes no tasks.`,
      hint: `Start it again with a new session chain: claude-agents agent reset ${details.agent}`,
    })
  }
}

export class AgentBusyError extends ClaudeAgentError<{ agent: string }> {
  readonly _tag = 'AgentBusyError'
  constructor(details: { agent: string }) {
    super(details, {
      message: `Agent "${details.agent}" is working on a task.`,
      hint: 'Wait until it has ended, or cancel it first.',
    })
  }
}

/** The agent has so much to do that it takes no more. What it has is durable, and is done. */
export class MailboxFullError extends ClaudeAgentError<{ agent: string; mailbox: number }> {
  readonly _tag = 'MailboxFullError'
  override readonly retryable = true
  constructor(details: { agent: string; mailbox: number }) {
    super(details, {
      message: `Agent "${details.agent}" has ${details.mailbox} tasks to do, and takes no more. Nothing was written.`,
      hint: 'Ask again when some of them are done, share the work among a pool of copies, or raise limits.mailbox.',
    })
  }
}

export class TooManyAgentsError extends ClaudeAgentError<{ maxAgents: number }> {
  readonly _tag = 'TooManyAgentsError'
  constructor(details: { maxAgents: number }) {
    super(details, {
      message: `There are ${details.maxAgents} agents already, which is the limit.`,
      hint: 'Remove one, or raise maxAgents (CLAUDE_AGENTS_MAX_AGENTS).',
    })
  }
}
