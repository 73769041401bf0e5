/** Every public error but those of a call: one base class, and for each thing that can go wrong a class that says
 * what happened, to what, and what to do next. */

export interface ErrorText {
  /** What happened, to what. One or more whole sentences. */
  readonly message: string
  /** What the reader can do now. */
  readonly hint?: string
}

export interface ErrorOptions {
  readonly cause?: unknown
}

/** Where an error names its classes, in every copy of this package. */
const CLASSES = Symbol.for('claude-multi-agent/error-classes')

/** The base of all errors that this package throws on purpose. `_tag` tells them apart, also across processes. */
export abstract class ClaudeAgentError<Details extends object = object> extends Error {
  abstract readonly _tag: string
  /** What happened, without the hint. */
  readonly summary: string
  readonly hint: string
  /** The facts of the matter, for programs. */
  readonly details: Details
  /** Whether the same thing may well work when it is tried again. */
  readonly retryable: boolean = false

  constructor(details: Details, text: ErrorText, options: ErrorOptions = {}) {
    super(text.hint ? `${text.message} ${text.hint}` : text.message, options)
    this.name = new.target.name
    this.summary = text.message
    this.hint = text.hint ?? ''
    this.details = details
  }

  static {
    Object.defineProperty(this.prototype, CLASSES, { get: classesOf })
  }

  /** An error of another copy of this package counts as well: a module that the command loads imports one of its own. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    const classes = Object(value)[CLASSES] as readonly string[] | undefined
    return classes?.includes(this.name) ?? false
  }
}

function classesOf(this: object): string[] {
  const names: string[] = []
  for (let of = this.constructor; of !== Error; of = Object.getPrototypeOf(of)) names.push(of.name)
  return names
}

/** An id that is not a name we can use. */
export class InvalidIdError extends ClaudeAgentError<{ what: string; id: string; rule: string }> {
  readonly _tag = 'InvalidIdError'
  constructor(details: { what: string; id: string; rule: string }) {
    super(details, {
      message: `${JSON.stringify(shorten(details.id))} is not a valid ${details.what} id.`,
      hint: `Use ${details.rule}.`,
    })
  }
}

/** An argument or option that does not make sense. */
export class InvalidInputError extends ClaudeAgentError<{ what: string }> {
  readonly _tag = 'InvalidInputError'
  constructor(details: { what: string; problem: string; hint?: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `${details.what}: ${details.problem}.`,
        ...(details.hint === undefined ? {} : { hint: details.hint }),
      },
      options,
    )
  }
}

/** Something in the configuration that cannot be used. */
export interface ConfigProblem {
  /** `file:line:column`, the name of a variable, or the option. */
  readonly place: string
  readonly problem: string
  /** What to write instead; may be empty. */
  readonly hint: string
}

/** The configuration cannot be used; all that is wrong with it is said at once. */
export class ConfigError extends ClaudeAgentError<{ problems: readonly ConfigProblem[] }> {
  readonly _tag = 'ConfigError'
  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    const [first] = problems
    const lines = problems.map(({ place, problem, hint }) => `${place}: ${problem}.${hint && ` ${hint}`}`)
    const text =
      problems.length === 1 && first
        ? { message: `${first.place}: ${first.problem}.`, hint: first.hint }
        : { message: lines.join('\n') }
    super({ problems }, text, options)
  }
}

export class AgentNotFoundError extends ClaudeAgentError<{ agent: string; nearest: string | null }> {
  readonly _tag = 'AgentNotFoundError'
  constructor(details: { agent: string; nearest: string | null }) {
    const guess = details.nearest === null ? '' : ` Did you mean "${details.nearest}"?`
    super(details, { message: `No agent "${details.agent}".${guess}`, hint: '(claude-agents agent list)' })
  }
}

export class StreamNotFoundError extends ClaudeAgentError<{ stream: string }> {
  readonly _tag = 'StreamNotFoundError'
  constructor(details: { stream: string }) {
    super(details, {
      message: `There is no stream "${details.stream}" in the log.`,
      hint: 'A stream is named KIND/ID, as in agent/researcher (claude-agents agent list).',
    })
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

/** The orchestrator or the store is closed. */
export class ClosedError extends ClaudeAgentError<{ what: string }> {
  readonly _tag = 'ClosedError'
  constructor(details: { what: string }) {
    super(details, { message: `The ${details.what} is closed.`, hint: 'Open it again.' })
  }
}

/** A fact that does not fit its schema, or that changes nothing in the state it would be folded into. */
export class InvalidFactError extends ClaudeAgentError<{ type: string }> {
  readonly _tag = 'InvalidFactError'
  constructor(details: { type: string; problem: string }, options?: ErrorOptions) {
    super(
      details,
      { message: `${details.type} cannot be recorded: ${details.problem}. Nothing was written.` },
      options,
    )
  }
}

export class UnknownFactError extends ClaudeAgentError<{
  type: string
  v: number
  known: number | null
  position: number
}> {
  readonly _tag = 'UnknownFactError'
  constructor(details: { type: string; v: number; known: number | null; position: number }) {
    super(details, {
      message: `The log holds a ${details.type} of version ${details.v} at position ${details.position}; this program knows ${
        details.known === null ? 'no such fact' : `it up to version ${details.known}`
      }.`,
      hint: 'A newer claude-multi-agent wrote it: upgrade this one (npm install claude-multi-agent@latest).',
    })
  }
}

/** A machine that would not replay: it holds a construct with a side effect or a clock. */
export class NotReplayableError extends ClaudeAgentError<{
  machine: string
  state: string
  construct: string
}> {
  readonly _tag = 'NotReplayableError'
  constructor(details: { machine: string; state: string; construct: string }) {
    super(details, {
      message: `Machine "${details.machine}" cannot be replayed: state "${details.state}" uses ${details.construct}.`,
      hint: 'Keep guards and assign in the machine, and let the effects of the definition do the rest.',
    })
  }
}

export class WorkspaceError extends ClaudeAgentError<{ path: string }> {
  readonly _tag = 'WorkspaceError'
  constructor(details: { path: string; problem: string; hint?: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `${details.path}: ${details.problem}.`,
        ...(details.hint === undefined ? {} : { hint: details.hint }),
      },
      options,
    )
  }
}

const shorten = (text: string) => (text.length > 80 ? `${text.slice(0, 77)}...` : text)

/** What a program prints of any error: the shape of `--json` errors. */
export function describeError(error: unknown): { code: string; message: string; hint: string } {
  if (error instanceof ClaudeAgentError) return { code: error._tag, message: error.summary, hint: error.hint }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'UnexpectedError', message, hint: '' }
}

/** An error as a fact holds it. */
export interface ErrorData {
  readonly tag: string
  readonly message: string
  readonly hint: string
  readonly retryable: boolean
  readonly details: Readonly<Record<string, string | number>>
}
