/** Everything that can happen to an agent; its messages are in options/message.ts, and its moves in options/moving.ts. */
import * as Schema from 'effect/Schema'
import { type FactOf, fact, factCatalog } from './catalog.ts'
import type { Recorded } from './envelope.ts'
import type { JsonObject } from './json.ts'
import { AgentConfig } from './options/agent.ts'
import { MESSAGE_FACTS, messagesReadIfAny } from './options/message.ts'
import { MOVING_FACTS } from './options/moving.ts'
import { setup } from './options/servers.ts'
import { byPerson } from './options/values.ts'
import { Body, Material, PlacedInput } from './task-input.ts'

const NullableString = Schema.NullOr(Schema.String)
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** ISO 8601 in UTC. */
const Instant = Schema.String

/** The snapshot of a workspace without files: the empty tree of git, which is in every repository. */
export const NO_FILES = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'

/** The snapshots of files that a fact names: they are kept as long as it is, unless its `dropped` says otherwise. */
export function snapshotsNamed({ type, data }: Pick<Recorded, 'type' | 'data'>): readonly string[] {
  const named = { FilesSaved: [data.commit], FilesRestored: [data.from, data.commit] }[type] ?? []
  return named.filter((commit): commit is string => typeof commit === 'string' && commit !== NO_FILES)
}

export const Failure = Schema.Struct({
  tag: Schema.String,
  message: Schema.String,
  hint: Schema.String,
  retryable: Schema.Boolean,
  details: Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite])),
})
export type Failure = typeof Failure.Type

const Usage = Schema.Struct({
  inputTokens: Count,
  outputTokens: Count,
  cacheReadTokens: Count,
  cacheCreationTokens: Count,
})

/** What a call cost. */
const spending = {
  costUsd: Schema.Finite,
  usage: Usage,
  /** As budgets count them; absent if that is input plus output, as in older logs. */
  tokens: Schema.optionalKey(Count),
  /** The call was cut off, or reported no price. */
  estimated: Schema.optionalKey(Schema.Literal(true)),
}
/** The same, as far as a call that was not answered told it. */
const spendingIfKnown = {
  ...spending,
  costUsd: Schema.optionalKey(spending.costUsd),
  usage: Schema.optionalKey(spending.usage),
}

/** Whether the files are as they were before the call. Otherwise, FilesRestored says what was brought back. */
const leftFiles = { untouched: Schema.optionalKey(Schema.Literal(true)) }

/** Why a task is held: it needs approval, its next call exceeds a budget, or its account cannot pay for one. */
export const Hold = Schema.Union([
  Schema.Struct({ reason: Schema.Literal('approval'), note: NullableString }),
  Schema.Struct({
    reason: Schema.Literal('budget'),
    /** The stream of the budget that it exceeds. */
    budget: Schema.String,
    /** The estimated cost of the call. */
    usd: Schema.Finite,
    tokens: Count,
  }),
  Schema.Struct({
    reason: Schema.Literal('account'),
    /** What the service said. */
    said: Schema.String,
  }),
])
export type Hold = typeof Hold.Type

/** Whether its call was still running: how that has ended is recorded later, apart from its task. Absent in older logs. */
const leftRunning = { running: Schema.optionalKey(Schema.Literal(true)) }

const onlyTask = { taskId: Schema.String }
const callOfTask = { ...onlyTask, callId: Schema.String }

/** An answer that was paid for. */
const answer = {
  ...callOfTask,
  sessionId: Schema.String,
  parentSessionId: NullableString,
  text: Body,
  ...spending,
  durationMs: Schema.Finite,
  model: NullableString,
  /** Recovered after a crash from what the process had left. */
  harvested: Schema.Boolean,
}

const ProjectInCall = Schema.Struct({ hash: Schema.String, counts: Schema.Boolean })
export type ProjectInCall = typeof ProjectInCall.Type

const fileCounts = {
  changed: Count,
  added: Count,
  removed: Count,
  /** Files that are neither saved nor touched: the first ones. Absent if there are none. */
  left: Schema.optionalKey(Schema.Array(Schema.String)),
  /** How many these are, where not all are named. */
  leftInAll: Schema.optionalKey(Count),
  /** Its snapshots were dropped when the log was compacted. */
  dropped: Schema.optionalKey(Schema.Literal(true)),
}

const definitions = {
  AgentCreated: fact(
    Schema.Struct({
      config: AgentConfig,
      /** The agent that it was forked from, at which version, and the session that it continues. */
      forkedFrom: Schema.optionalKey(
        Schema.Struct({ agent: Schema.String, version: Count, sessionId: NullableString }),
      ),
      ...byPerson,
    }),
    ({ config }) => ({
      config: { ...(config as JsonObject), permissions: 'workspace', loadProjectSettings: false },
    }),
  ),
  /** The agent's configuration has changed, from its next call on. */
  AgentConfigured: fact(Schema.Struct({ config: AgentConfig, ...byPerson })),
  /** A task is durable in the agent's queue. */
  TaskAccepted: fact(
    Schema.Struct({
      ...onlyTask,
      /** A `Body` is a text, or its hash if it is a blob (over 64 KiB) or was dropped by compaction. */
      prompt: Body,
      textInput: Schema.NullOr(Body),
      /** Whether it continues the agent's conversation, its run's conversation with the agent, or none. */
      session: Schema.Literals(['chain', 'run', 'fresh']),
      /** The session of the agent's last answer in the run before this task; none if it is the first. */
      continues: Schema.optionalKey(Schema.String),
      /** The JSON Schema that the answer must match. */
      outputSchema: Schema.optionalKey(Schema.JsonObject),
      /** URLs are without their credentials. */
      material: Material,
      /** The run that asked. */
      runId: Schema.optionalKey(Schema.String),
      /** Messages led to it, whose chain has this many links (see `MessageReceived`): it was begun by them, or asked for. */
      woken: Schema.optionalKey(Count),
      /** The agents that wait for its answer, the one that asked last. Absent if none does. */
      askers: Schema.optionalKey(Schema.Array(Schema.String)),
      ...byPerson,
    }),
  ),
  /** It is held until it is approved, the budget has room, or the account can pay. It blocks no other task. */
  TaskHeld: fact(Schema.Struct({ ...onlyTask, hold: Hold })),
  TaskApproved: fact(Schema.Struct({ ...onlyTask, by: NullableString })),
  /** Money is about to be spent: durable before the process starts. */
  CallStarted: fact(
    Schema.Struct({
      ...callOfTask,
      attempt: Count,
      sessionId: Schema.String,
      parentSessionId: NullableString,
      deadlineAt: Instant,
      /** How much time the task had left, in ms. */
      leftMs: Schema.optionalKey(Count),
      /** The parent cannot be continued: a new session gets its conversation as text. */
      rebuilt: Schema.optionalKey(Schema.Literal(true)),
      /** Its workspace was empty, and always had been: there was nothing to save. */
      empty: Schema.optionalKey(Schema.Literal(true)),
      ...messagesReadIfAny,
    }),
  ),
  ...MESSAGE_FACTS,
  /** The conversation for a rebuilt call was too long: what its prompt does not contain. */
  ConversationCut: fact(Schema.Struct({ ...callOfTask, turns: Count, characters: Count })),
  /** The material of the task is in the workspace. */
  InputsPlaced: fact(Schema.Struct({ ...callOfTask, inputs: Schema.Array(PlacedInput) })),
  /**
   * The files of its workspace as they were before a call or after it: a commit in the repository of snapshots, and how many
   * files differ from the snapshot before. Only where there are any. `project`: the hash of the project's own settings, if it
   * has any, and whether they count in this call. `lost`: those of its earlier turns are not on this machine.
   */
  FilesSaved: fact(
    Schema.Struct({
      ...callOfTask,
      when: Schema.Literals(['before', 'after']),
      commit: Schema.String,
      tree: Schema.String,
      ...fileCounts,
      project: Schema.optionalKey(ProjectInCall),
      lost: Schema.optionalKey(Schema.Literal(true)),
    }),
  ),
  /** What a turn changed is a commit on the agent's branch. */
  FilesCommitted: fact(Schema.Struct({ ...onlyTask, commit: Schema.String, branch: Schema.String })),
  /**
   * The files were brought back to the snapshot `to`. `from` is the snapshot of what was there. `because`: the call before
   * did not end well, a user wanted it, the agent began as a fork, or what it is to land on was merged into them.
   */
  FilesRestored: fact(
    Schema.Struct({
      because: Schema.Literals(['call', 'undo', 'fork', 'landing']),
      from: Schema.String,
      to: Schema.String,
      commit: Schema.String,
      tree: Schema.String,
      ...fileCounts,
      ...byPerson,
    }),
  ),
  /** The process of a call, and where it runs: on which machine, and for which base directory. */
  ProcessStarted: fact(
    Schema.Struct({
      ...callOfTask,
      pid: Count,
      startTime: NullableString,
      /** null: not known, as in older logs. */
      machine: NullableString,
      home: NullableString,
    }),
    (data) => ({ ...data, machine: null, home: null }),
  ),
  /** Ends the task. */
  CallSucceeded: fact(
    Schema.Struct({
      ...answer,
      attempt: Count,
      turns: Schema.NullOr(Count),
      /** Why the model stopped, in the service's words, if known. */
      stopReason: Schema.optionalKey(Schema.String),
      permissionDenials: Schema.Array(Schema.Struct({ tool: Schema.String, input: Schema.String })),
      /** The facts of the messages and the notes that it has read in the middle of the call. Absent if there are none. */
      uses: Schema.optionalKey(Schema.Array(Schema.String)),
      ...setup,
    }),
  ),
  CallFailed: fact(
    Schema.Struct({
      ...callOfTask,
      error: Failure,
      ...spendingIfKnown,
      ...leftFiles,
      ...leftRunning,
      ...setup,
    }),
  ),
  /**
   * No answer was found after the orchestrator's process died during the call, or the call was cut off and did not say what
   * it cost: it may have been paid for. `late`: its task had ended before.
   */
  CallOutcomeUnknown: fact(
    Schema.Struct({
      ...callOfTask,
      ...spendingIfKnown,
      ...leftFiles,
      late: Schema.optionalKey(Schema.Literal(true)),
    }),
  ),
  /** Ends a call at a tool call that a person has to decide. The turn then continues there, in a fork of this session. */
  CallDeferred: fact(
    Schema.Struct({
      ...callOfTask,
      sessionId: Schema.String,
      tool: Schema.String,
      toolUseId: Schema.String,
      /** As JSON. */
      input: Body,
      /** How much time the task has left, in ms: its deadline stands still until the next call. */
      leftMs: Count,
      ...spendingIfKnown,
      ...setup,
    }),
  ),
  /** A person has decided the tool call at which this call ended: its turn continues. An answer to a question is its `input`. */
  ToolDecided: fact(
    Schema.Struct({
      ...callOfTask,
      tool: Schema.String,
      toolUseId: Schema.String,
      verdict: Schema.Literals(['allow', 'deny']),
      /** What it is called with instead, as JSON. */
      input: Schema.optionalKey(Body),
      /** Why it is denied: the model is told. */
      reason: Schema.optionalKey(Schema.String),
      by: NullableString,
    }),
  ),
  /** Tool calls that match this rule no longer need a decision. */
  ToolRuleRemembered: fact(Schema.Struct({ rule: Schema.String, by: NullableString })),
  /** Calls that match it need a decision again. */
  ToolRuleForgotten: fact(Schema.Struct({ rule: Schema.String, ...byPerson })),
  /** After a failed call: when the next one starts. */
  RetryScheduled: fact(
    Schema.Struct({
      ...onlyTask,
      attempt: Count,
      dueAt: Instant,
      /** How long the wait is, in ms: it is never longer, whatever a clock shows. Absent in older logs. */
      delayMs: Schema.optionalKey(Count),
      /** In how many ms the deadline comes, if it does not stand still. Absent in older logs. */
      deadlineInMs: Schema.optionalKey(Count),
      /**
       * The task is not at fault, so this does not count as a retry. `account`: the service limits the account or is
       * overloaded. `session`: the session to continue was lost.
       */
      because: Schema.optionalKey(Schema.Literals(['account', 'session'])),
      /** How much time the task has left, in ms: its deadline stands still until the next call. */
      leftMs: Schema.optionalKey(Count),
    }),
  ),
  /**
   * Its conversation continues in a session of which it has a copy: one that began elsewhere, or a fork of its own in which a
   * person talked to it.
   */
  SessionAdopted: fact(
    Schema.Struct({
      sessionId: Schema.String,
      /** Prompts in it that were answered, without those of its parent: they are not in the log. */
      turns: Count,
      /** What it was forked from. */
      parentSessionId: Schema.optionalKey(NullableString),
      /** Budgets count what was spent under this id. */
      callId: Schema.optionalKey(Schema.String),
      ...spendingIfKnown,
      ...byPerson,
    }),
  ),
  /** The session to continue is gone: from now on its conversation comes from the log. */
  SessionLost: fact(Schema.Struct({ ...onlyTask, sessionId: Schema.String })),
  /** Ends the task. `fatal`: the agent is at fault, not just the task. */
  TaskFailed: fact(Schema.Struct({ ...onlyTask, error: Failure, fatal: Schema.Boolean })),
  /** Ends the task. */
  TaskCancelled: fact(Schema.Struct({ ...onlyTask, reason: Schema.String, ...leftRunning, ...byPerson })),
  /** An answer that arrived after its task had ended: it was paid for, and no caller received it. */
  LateAnswerRecorded: fact(Schema.Struct(answer)),
  /** What a call without an answer had cost, known only after its task had ended: nothing if it was never sent. */
  LateCostRecorded: fact(Schema.Struct({ ...callOfTask, ...spending })),
  ...MOVING_FACTS,
  /** Starts a new session chain; the old one stays in the log. */
  AgentReset: fact(Schema.Struct(byPerson)),
  /** Its supervisor has restarted it after an error or a stop. The session chain continues. */
  AgentRestarted: fact(Schema.Struct({})),
  AgentStopped: fact(Schema.Struct({ reason: Schema.String })),
  AgentRemoved: fact(
    Schema.Struct({
      /** Where the work is that was not landed: a ref of a repository. */
      kept: Schema.optionalKey(
        Schema.Struct({ repository: Schema.String, ref: Schema.String, commit: Schema.String }),
      ),
    }),
  ),
}

/** A fact of an agent, discriminated by its `type`. */
export type AgentFact = FactOf<typeof definitions>
export const agentFacts = factCatalog(definitions, { DeadLetterRecorded: 'LateAnswerRecorded' })

/** The facts that end a task. */
export type TaskOutcome = Extract<AgentFact, { type: 'CallSucceeded' | 'TaskFailed' | 'TaskCancelled' }>
