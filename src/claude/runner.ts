/** The port to whatever answers: the `claude` process, a script in a test, another program. */
import type { ClaudeExecutionError } from '../events/errors/call.ts'
import type { JsonObject } from '../events/json.ts'
import type { Material, PlacedInput } from '../events/material.ts'
import type { AgentDirectories } from '../workspaces/directories.ts'

/** One call: one run of an agent's program for one task. Everything in it was decided, and logged, before it starts. */
export interface Call {
  readonly callId: string
  readonly taskId: string
  readonly agent: string
  /** From 1; a retry is a new call. */
  readonly attempt: number
  /** The session that this call makes. Chosen by us, so that it can be looked up after a crash. */
  readonly sessionId: string
  /** The session it continues: that one is forked and stays as it is. null begins a new chain. */
  readonly parentSessionId: string | null
  readonly prompt: string
  readonly settings: CallSettings
  readonly directories: AgentDirectories
}

/** How a call is made: the role, the model, the tools and the form of the answer. */
export interface CallSettings {
  readonly systemPrompt: string
  readonly allowedTools?: readonly string[]
  readonly maxTurns?: number
  readonly model?: string
  /** A JSON Schema: the answer is JSON of this form, as text. */
  readonly outputSchema?: JsonObject
  /** What the agent may do without asking. `workspace` (the default): read and change files there, and what
   * `allowedTools` names. `bypass`: everything. */
  readonly permissions?: 'workspace' | 'bypass'
  /** Whether settings, hooks, servers and instructions that lie in the workspace count. Whoever wrote them runs commands. */
  readonly loadProjectSettings?: boolean
}

/** A process as the log knows it. A pid alone may have been given to another program since. */
export interface ProcessIdentity {
  readonly pid: number
  /** When the system says it was started (Linux: clock ticks since boot); null where that is not to be had. */
  readonly startTime: string | null
}

/** The processes of one call, as the system shows them. */
export interface CallProcesses extends ProcessIdentity {
  readonly agent: string
  /** null where the process does not tell. */
  readonly taskId: string | null
  readonly callId: string
  readonly ageMs: number
  /** How many more it has started that still run. */
  readonly others: number
}

/** The tokens that a call used. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheCreationTokens: number
}

/** What a call came to. */
export interface CallResult {
  readonly text: string
  readonly costUsd: number
  readonly usage: Usage
  readonly durationMs: number
  /** How many turns of the model it took; null where that is not known (an answer found after a crash). */
  readonly turns: number | null
  readonly model: string | null
  readonly permissionDenials: readonly { readonly tool: string; readonly input: string }[]
}

/** What a call says while it runs, in order. A successful call ends with exactly one `result`. */
export type CallMessage =
  | ({ readonly type: 'process' } & ProcessIdentity)
  | {
      readonly type: 'init'
      readonly sessionId: string
      readonly model: string | null
      readonly version: string | null
      readonly tools: readonly string[]
    }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool'; readonly name: string; readonly toolUseId: string }
  | {
      readonly type: 'retry'
      readonly attempt: number
      readonly maxAttempts: number
      readonly delayMs: number
      readonly problem: string
      /** The HTTP status that the service answered with, if it did. */
      readonly status?: number
      /** How long the service asks us to stay away, in ms, where it says so. */
      readonly retryAfterMs?: number
    }
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'result'; readonly result: CallResult }

/** What became of a call whose outcome nobody wrote down. */
export type Recovered =
  /** It was answered, and paid for: here is the answer. */
  | { readonly outcome: 'answered'; readonly result: CallResult }
  /** It ended in an error, which is known: it is settled as that failure, as if we had heard it ourselves. */
  | { readonly outcome: 'failed'; readonly error: ClaudeExecutionError }
  /** The prompt left, and no answer was kept. Whether it was paid for cannot be known. */
  | { readonly outcome: 'unanswered' }
  /** Nothing left this machine: the same call can be started as if for the first time. */
  | { readonly outcome: 'unsent' }

/** What answers: `claudeCli`, `commandRunner`, or one of your own. `start` and `recover` are all that it needs. */
export interface AgentRunner {
  /** What this machine can bear of it. Without it there is no limit. */
  readonly capacity?: { readonly calls: number; readonly starts: number }
  /** At whose cost calls are made now: a name without a secret, the same for the same account. */
  account?(): string
  /**
   * Starts a call. *Contract:* throws one ClaudeExecutionError, or ends after one `result`; an aborted signal ends the
   * process and whatever it has started before the iteration ends; `process` comes before anything is sent.
   */
  start(call: Call, options: { readonly signal: AbortSignal }): AsyncIterable<CallMessage>
  /**
   * Finds out what became of a call that an earlier process started. Waits for `process` if it still runs; when the
   * signal aborts, ends it and answers by what is there.
   */
  recover(
    call: Call,
    options: { readonly process: ProcessIdentity | null; readonly signal: AbortSignal },
  ): Promise<Recovered>
  /** Makes the directories of a new agent. Without it they are made by its first call. */
  prepare?(directories: AgentDirectories): Promise<void>
  /** Whether repositories of this machine may be brought along, by a path or a file URL. Without it they may not. */
  readonly allowsLocalRepos?: boolean
  /** Brings a task's files, folders and repositories into the workspace, and tells what lies there now. */
  place?(
    directories: AgentDirectories,
    material: Material,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly PlacedInput[]>
  /**
   * Makes a session of one agent one that another can continue. The first one's stays as it is. Without it sessions belong
   * to nobody, and any agent can continue any.
   */
  branch?(sessionId: string, from: AgentDirectories, to: AgentDirectories): Promise<void>
  /** Deletes the directories of an agent that was removed, following no link. */
  discard?(directories: AgentDirectories): Promise<void>
  /** The processes of calls of this base directory that run now, oldest first, known to a log or not. */
  processes?(options: { readonly baseDir: string }): Promise<readonly CallProcesses[]>
  /** Ends every process that an earlier owner of these directories has left and that `keep` does not name. Returns how many. */
  sweep?(options: { readonly baseDir: string; readonly keep: readonly string[] }): Promise<number>
}
