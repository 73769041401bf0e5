/** The port to whatever answers a call: the `claude` process, a script in a test, another program. */
import type { ClaudeExecutionError } from '../events/errors/call.ts'
import type { JsonObject } from '../events/json.ts'
import type { Equipment } from '../events/options/agent.ts'
import type { ServerStatus } from '../events/options/servers.ts'
import type { Material, PlacedInput } from '../events/task-input.ts'
import type { AgentDirectories } from '../workspaces/directories.ts'
import type { FilesOperations } from '../workspaces/files/operations.ts'

/**
 * One call: one run of an agent's program for a task. Everything in it was decided and logged before it starts, but for the
 * pass to its team.
 */
export interface Call {
  readonly callId: string
  readonly taskId: string
  readonly agent: string
  /** From 1; a retry is a new call. */
  readonly attempt: number
  /** The session that this call creates. We choose the id, so that the session can be found after a crash. */
  readonly sessionId: string
  /** The session to continue, by forking it; the original is not changed. null starts a new chain. */
  readonly parentSessionId: string | null
  readonly prompt: string
  /** What a person decided of the tool call at which its parent session ended: no prompt is sent. */
  readonly resumes?: ResumedTurn
  readonly settings: CallSettings
  /** How it reaches its team, if it may. */
  readonly team?: TeamPass
  readonly directories: AgentDirectories
}

/** With it, the server of a call reaches the team, as its agent and no other. It is a secret of the call. */
export interface TeamPass {
  readonly socket: string
  readonly token: string
  /** Called with what its servers were given: nothing that the agent tells its team holds that. */
  readonly conceal?: (secrets: { json<T>(value: T): T }) => void
}

/** A tool call at which a call has ended, for a person to decide. It has not been carried out. */
export interface DeferredTool {
  readonly tool: string
  /** Its id in the conversation. */
  readonly toolUseId: string
  readonly input: JsonObject
}

/** A tool call that a person has decided. */
export interface ResumedTurn extends DeferredTool {
  readonly verdict: 'allow' | 'deny'
  /** What it is called with instead. Default: as it was asked. */
  readonly updatedInput?: JsonObject
  /** Why it is denied. */
  readonly reason?: string
}

/** How a call is made: the role, the model, the tools and the form of the answer. Secrets of servers are references. */
export interface CallSettings extends Equipment {
  readonly systemPrompt: string
  readonly allowedTools?: readonly string[]
  readonly maxTurns?: number
  readonly model?: string
  /** A JSON Schema: the answer is JSON that matches it, as text. */
  readonly outputSchema?: JsonObject
  /**
   * What the agent may do without asking. `workspace` (the default): read and change files there, and use what
   * `allowedTools` names. `bypass`: everything.
   */
  readonly permissions?: 'workspace' | 'bypass'
  /** Tool calls that a person has to decide: the call ends at the first that matches one of these rules. */
  readonly approveTools?: readonly string[]
  /** Rules for tool calls that were approved for good: they are allowed, and the call does not end at them. */
  readonly approvedRules?: readonly string[]
  /** Whether it has a tool by which it asks a person: the call ends at that. */
  readonly questions?: boolean
  /** The names of the tools by which it works with its team. */
  readonly team?: readonly string[]
  /**
   * Whether the repository that the agent works on is trusted: its settings, hooks, servers and instructions are loaded, and
   * their author can run commands. Absent: it works on none.
   */
  readonly project?: boolean
}

/** A process as the log knows it. The pid alone is not enough: it may have been reused. */
export interface ProcessIdentity {
  readonly pid: number
  /** The start time from the system (Linux: clock ticks since boot); null if unavailable. */
  readonly startTime: string | null
}

/** The running processes of one call, from the process table. */
export interface CallProcesses extends ProcessIdentity {
  readonly agent: string
  /** null if the process does not carry it. */
  readonly taskId: string | null
  readonly callId: string
  readonly ageMs: number
  /** How many of its descendants are still running. */
  readonly others: number
}

/** The tokens that a call used. */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheCreationTokens: number
}

/** What a call has cost, as far as it is known. */
export interface CallSpending {
  /** US dollars. */
  readonly costUsd: number
  readonly usage: Usage
  /** It was not reported: it follows from what the call had said when it was cut off, or from what tokens usually cost. */
  readonly estimated?: true
}

/**
 * The outcome of an answered call. Before it is recorded, its counts are rounded up to whole numbers, and numbers that
 * are negative or missing become 0.
 */
export interface CallResult extends CallSpending {
  readonly text: string
  readonly durationMs: number
  /** How many turns the model took; null if unknown (an answer recovered after a crash). */
  readonly turns: number | null
  readonly model: string | null
  /**
   * Why the model stopped, in the service's words, if known: `end_turn`, or `max_tokens` for an answer that was cut
   * off.
   */
  readonly stopReason?: string | undefined
  /** At most 100 are recorded, with 1,000 characters of their input. */
  readonly permissionDenials: readonly { readonly tool: string; readonly input: string }[]
}

/**
 * What a running call reports, in order. A successful call ends with exactly one `result`, or with `deferred` if a person has
 * to decide before it can continue. Any but one with a result reports what it has cost as `spent`, as often as it likes: the
 * last one counts.
 */
export type CallMessage =
  | ({ readonly type: 'process' } & ProcessIdentity)
  | {
      readonly type: 'init'
      readonly sessionId: string
      readonly model: string | null
      readonly version: string | null
      readonly tools: readonly string[]
      readonly servers?: readonly ServerStatus[]
    }
  | { readonly type: 'text'; readonly text: string }
  /** The last characters of the text so far do not count: the stream broke, or the call failed, and it is repeated. */
  | { readonly type: 'retract'; readonly characters: number }
  | { readonly type: 'tool'; readonly name: string; readonly toolUseId: string }
  | {
      readonly type: 'retry'
      readonly attempt: number
      readonly maxAttempts: number
      readonly delayMs: number
      readonly problem: string
      /** The HTTP status of the service's response, if there was one. */
      readonly status?: number
      /** How long the service asks us to back off, in ms, if it says. */
      readonly retryAfterMs?: number
    }
  /** What the service says about the account. It does not reach those who listen to a task. */
  | { readonly type: 'account'; readonly windows: readonly AccountWindow[] }
  | { readonly type: 'warning'; readonly message: string }
  | ({ readonly type: 'spent' } & CallSpending)
  | ({ readonly type: 'deferred' } & DeferredTool)
  | { readonly type: 'result'; readonly result: CallResult }

/** A transcript that an agent can adopt, and how many prompts of it were answered. */
export interface SessionFile {
  readonly path: string
  readonly sessionId: string
  readonly turns: number
}

/** A fork of an agent's session in which a person has talked to it. */
export interface TakenSession {
  readonly path: string
  readonly sessionId: string
  readonly parentSessionId: string | null
}

/** The turns in it that are not in its parent, and what they cost. */
export interface TakenTurns {
  readonly turns: number
  readonly spent: CallSpending
}

/** A file of the home by its name, or a transcript by the id of its session. */
export interface HomeText {
  readonly name: string
  readonly text: string
}

export interface HomeTexts {
  /** The transcript that has the session; null if there is none that can be read, or it is too large. */
  readonly session: HomeText | null
  readonly notes: readonly HomeText[]
}

/** What a runner keeps of conversations in the homes of agents. */
export interface HomeOperations {
  read(sessionId: string, directories: AgentDirectories): Promise<HomeTexts>
  /** Lays them out. *Contract:* a file is there as a whole, or as it was before. */
  write(
    texts: { readonly sessions: readonly HomeText[]; readonly notes: readonly HomeText[] },
    directories: AgentDirectories,
  ): Promise<void>
  /** Whether a call can continue the session. */
  has(sessionId: string, directories: AgentDirectories): Promise<boolean>
}

/** What became of a call whose outcome was not recorded. */
export type Recovered =
  /** It was answered and paid for: here is the answer. */
  | { readonly outcome: 'answered'; readonly result: CallResult }
  /** It ended in a known error, and is settled as that failure, as if we had seen it live. */
  | { readonly outcome: 'failed'; readonly error: ClaudeExecutionError; readonly spent?: CallSpending }
  /** It ended at a tool call that a person has to decide. */
  | { readonly outcome: 'deferred'; readonly deferred: DeferredTool; readonly spent?: CallSpending }
  /** The prompt was sent, but no answer was saved. Whether it was paid for is unknown, unless `spent` tells. */
  | { readonly outcome: 'unanswered'; readonly spent?: CallSpending }
  /** Nothing was sent: the same call can be started again, as if for the first time. */
  | { readonly outcome: 'unsent' }

/** What runs calls: `claudeCli`, `commandRunner`, or your own. Only `start` and `recover` are required. */
export interface AgentRunner {
  /**
   * What answers the calls, in a word: `claude`, `simulated`, `command`. Other processes that work through the one that has
   * the store open are told, so that none reaches an account that it does not mean to. Default: `custom`.
   */
  readonly name?: string
  /** How much this machine can run at once. Without it, there is no limit. */
  readonly capacity?: { readonly calls: number; readonly starts: number }
  /** The account that pays for calls: a name that contains no secret, equal for equal accounts. */
  account?(): string
  /**
   * Starts a call. *Contract:* throws one ClaudeExecutionError, or ends after one `result` or `deferred`. Before it throws, it reports
   * what the call has cost as `spent`, even if it was cancelled. Once the signal aborts,
   * the process and everything it started are gone before the iteration ends. `process` is yielded before anything is
   * sent.
   */
  start(call: Call, options: { readonly signal: AbortSignal }): AsyncIterable<CallMessage>
  /**
   * Finds out what became of a call that an earlier process started. Waits for `process` if it still runs; once the
   * signal aborts, terminates it and answers from what has been written.
   */
  recover(
    call: Call,
    options: { readonly process: ProcessIdentity | null; readonly signal: AbortSignal },
  ): Promise<Recovered>
  /** Creates the directories of a new agent. Without it, the agent's first call creates them. */
  prepare?(directories: AgentDirectories): Promise<void>
  /** Whether local repositories (a path or a file URL) may be cloned. Default: false. */
  readonly allowsLocalRepos?: boolean
  /**
   * Copies or clones a task's files, folders and repositories into the workspace, and returns what was placed. *Contract:*
   * what the agent has changed since an earlier placing is not overwritten: it throws InputChangedError, or keeps it beside
   * what replaces it if `replace` is true. What was placed for the same `placing` (a task, or a run) stays as the agent has
   * changed it.
   */
  place?(
    directories: AgentDirectories,
    material: Material,
    options: { readonly signal: AbortSignal; readonly placing?: string; readonly replace?: boolean },
  ): Promise<readonly PlacedInput[]>
  /**
   * Copies a session so that another agent can continue it; the original is not changed. Without it, sessions belong
   * to no agent, and any agent can continue any session.
   */
  branch?(sessionId: string, from: AgentDirectories, to: AgentDirectories): Promise<void>
  /** Copies a session of Claude Code so that an agent can continue it; the original is only read. */
  adopt?(session: SessionFile, to: AgentDirectories): Promise<void>
  /** The same with a fork of the agent's own session, if anything was said in it. */
  take?(session: TakenSession, to: AgentDirectories): Promise<TakenTurns>
  /** What the homes of agents have of their conversations. Without it, any machine can continue any session. */
  readonly homes?: HomeOperations
  /** The files of agents, turn by turn. Without it, they are not kept, and no agent can work on a repository. */
  readonly files?: FilesOperations
  /** Deletes the directories of a removed agent, without following links. */
  discard?(directories: AgentDirectories): Promise<void>
  /** The running processes of this base directory's calls, oldest first, including calls that the log does not know. */
  processes?(options: { readonly baseDir: string }): Promise<readonly CallProcesses[]>
  /**
   * Kills every process that an earlier owner of this base directory left running, except the calls in `keep`.
   * Returns how many.
   */
  sweep?(options: { readonly baseDir: string; readonly keep: readonly string[] }): Promise<number>
}

/** What a service said about one window of an account: a limit on what the account uses within some time. */
export interface AccountWindow {
  /** In the service's words, as `five_hour`, `seven_day`. */
  readonly name: string
  /** In the service's words: `allowed`, `allowed_warning`, `rejected`. */
  readonly status: string
  /** How much of it is used, 1 being all; null if unknown. */
  readonly utilization: number | null
  /** When it resets, in ms since the epoch; null if unknown. */
  readonly resetsAt: number | null
}
