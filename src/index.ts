/**
 * The everyday interface of the package: `claude-multi-agent`. The subpaths `/patterns`, `/log`, `/errors`, `/config`,
 * `/testing` and `/inspect` have the rest; `entry-points/` has a file for each.
 */

// The orchestrator

export {
  Orchestrator,
  type OrchestratorAccounts,
  type OrchestratorBudgets,
  type OrchestratorHeld,
  type OrchestratorHistory,
  type OrchestratorInbox,
  type OrchestratorLandings,
  type OrchestratorMessages,
  type OrchestratorNotes,
  type OrchestratorRuns,
  type OrchestratorSchedules,
} from './orchestrator.ts'
export type { OrchestratorOptions } from './orchestrator-options.ts'
export { closeOnSignal, type Shutdown, type ShutdownOptions } from './shutdown.ts'

// What it is opened with

export type { Inspection } from './actors/engine/live-machine.ts'
export { type Clock, type DurableTimer, durableTimer, systemClock } from './clock.ts'
export type {
  Notification,
  NotificationReceiver,
  NotificationType,
  SecretReference,
} from './events/options/notify.ts'
export type { Logger } from './logger.ts'

// Agents and tasks

export type { Recovery } from './actors/agent/environment.ts'
export type { AgentInfo } from './actors/agent/list.ts'
export type { AgentSnapshot } from './actors/agent/machine.ts'
export type { Placement } from './actors/agent/moving/placement.ts'
export type { RunningProcess } from './actors/agent/processes.ts'
export type { AgentFilesRef, AgentMailboxRef, AgentMetrics, AgentRef } from './actors/agent/ref.ts'
export type { AdoptOptions } from './actors/agent/session/adopted.ts'
export type { SessionLink } from './actors/agent/session/chain.ts'
export type { ForkOptions } from './actors/agent/session/fork.ts'
export type { AgentStatus } from './actors/agent/state.ts'
export type { RemovalOptions, RemovedAgent } from './actors/agent/system.ts'
export { type AskOptions, type Reply, TaskHandle } from './actors/agent/tasks/ask.ts'
export type { DraftChange } from './actors/agent/tasks/channel.ts'
export type { AgentConfig, AgentDefaults, AgentOptions, RetryPolicy } from './events/options/agent.ts'
export type { AgentChanges } from './events/options/agent-changes.ts'
export type { OnMessage } from './events/options/message.ts'
export type { McpServer, McpServers, ServerValue } from './events/options/servers.ts'
export type {
  FileMapping,
  FolderMapping,
  GitHubRepo,
  Material,
  PlacedInput,
  TaskInput,
} from './events/task-input.ts'
export { AgentFactory } from './workflows/agent-factory.ts'
export type { AgentDirectories } from './workspaces/directories.ts'
export type { KeptWork } from './workspaces/files/unlanded-work.ts'

// The inbox

export type { InboxEntry, InboxKind } from './inbox/entry.ts'
export type { Approval } from './inbox/inbox.ts'
export type { InboxStream } from './inbox/stream.ts'

// Messages

export type { NoteReading, SendOptions, SentMessage } from './actors/agent/mailbox/mailbox.ts'
export type {
  DeliveredMessage,
  Publication,
  ReadMessage,
  Undelivered,
} from './actors/agent/mailbox/unread.ts'
export type { MessageInfo } from './messages/list.ts'
export type { Message, PublishOptions } from './messages/messages.ts'
export type { AgentAnswer, AgentRequest } from './messages/requests.ts'
export type { TopicFact } from './messages/topics/facts.ts'
export type { PublishedMessage } from './messages/topics/published.ts'
export type { TopicInfo } from './messages/topics/topics.ts'

// Notes

export type { NoteFact } from './notes/facts.ts'
export type { Note, NoteInfo, NoteReadOptions, NoteWriteOptions } from './notes/notes.ts'

// Landing

export type { LandingFact } from './events/landing-facts.ts'
export type { LandingEntry, LandOptions } from './landing/landings.ts'
export type { LandingStatus } from './landing/machine.ts'

// Schedules

export type { Missed, ScheduleFact } from './schedules/facts.ts'
export type { FiredSchedule, ScheduleInfo, ScheduleOptions } from './schedules/schedules.ts'

// Limits, accounts, budgets and held tasks

export type { AccountInfo } from './actors/admission/accounts.ts'
export type { BudgetInfo, BudgetScope } from './actors/admission/budget-scope.ts'
export type { HeldTask, Rejection, Verdict } from './actors/agent/tasks/held.ts'
export type { OfAgent } from './actors/agent/tasks/held-tasks.ts'
export type { LateAnswer } from './actors/agent/tasks/late-answers.ts'
export type { ReportedWindow } from './events/account-facts.ts'
export type { Hold } from './events/agent-facts.ts'
export type { Budget } from './events/options/budget.ts'
export type { Limits } from './events/options/limits.ts'

// Workflows

export * from './entry-points/patterns.ts'
export { BrainstormWorkflow } from './workflows/brainstorm.ts'
export { CodeReviewWorkflow } from './workflows/code-review.ts'
export { type WorkflowReference, type WorkflowSources, workflowPattern } from './workflows/pattern.ts'
export { ResearchWorkflow } from './workflows/research.ts'
export {
  type TemplateDefinition,
  type TemplateOptions,
  type WorkflowHost,
  WorkflowTemplate,
} from './workflows/template.ts'

// Runs

export type { ForkedRun, RunForkOptions } from './patterns/runs/fork.ts'
export type { RunSnapshot, RunStatus } from './patterns/runs/machine.ts'
export type {
  ResumeOptions,
  RunCondition,
  RunDetails,
  RunInfo,
  RunListOptions,
  RunOptions,
} from './patterns/runs/options.ts'
export type { ReusedStep, RunPlan } from './patterns/runs/plan.ts'
export type { AgentRunDiff, RunDiff, RunDiffOptions } from './patterns/runs/reading/files.ts'
export type { RecordedStep } from './patterns/runs/recorded-steps.ts'
export { Run } from './patterns/runs/run.ts'
export type { StepEvent } from './patterns/runs/step-event.ts'
export type { WorkflowResult } from './patterns/runs/workflow-result.ts'

// Supervision

export type { Exit, Supervised } from './actors/engine/exit.ts'
export type { SupervisorSnapshot, SupervisorStatus } from './actors/supervision/machine.ts'
export type {
  ChildSpecification,
  StartChild,
  SupervisorSpecification,
} from './actors/supervision/specification.ts'
export type { ChildInfo } from './actors/supervision/supervisor.ts'
export { Supervisor } from './actors/supervision/supervisor.ts'
export type { SupervisorRules } from './events/options/supervision.ts'
export type { ExitReason, SupervisorFact } from './events/supervisor-facts.ts'

// Actors of your own

export type { Circumstances } from './actors/engine/definition.ts'
export { assertReplayable } from './actors/engine/fold.ts'
export {
  type ActorMessages,
  type ActorParts,
  type ActorRef,
  type Decided,
  defineActor,
  type EffectRun,
  type OwnEffect,
  type OwnKind,
  type ReceivedMessage,
} from './actors/own/definition.ts'
export type { Json, JsonObject } from './events/json.ts'
export type { FactSchema, FactsOf, OwnFact, OwnFacts, StandardSchema } from './events/own-facts.ts'

// Runners

export { type ClaudeCliOptions, claudeCli } from './claude/claude-cli.ts'
export { type CommandRunnerOptions, commandRunner } from './claude/command-runner.ts'
export { type ListedProcess, listProcesses } from './claude/process/list.ts'
export type {
  AccountWindow,
  AgentRunner,
  Call,
  CallMessage,
  CallResult,
  CallSettings,
  CallSpending,
  ProcessIdentity,
  Recovered,
  SessionFile,
  TakenSession,
  TakenTurns,
  TeamPass,
  Usage,
} from './claude/runner.ts'

// The log

export type { StateAt, When } from './actors/engine/fold-at.ts'
export type { AnyReplayStep, ReplayStep } from './actors/engine/history.ts'
export type { AgentFact } from './events/agent-facts.ts'
export type { Fact, NewFact, Recorded } from './events/envelope.ts'
export type { CauseLine } from './history/causes.ts'
export type { LogRange } from './history/history.ts'
export type { ReplayOptions } from './history/replay-stream.ts'
export { type FactType, type KnownFact, ofType, type RecordedFact } from './history/typed-facts.ts'
export type { ChangedMachine, Divergence, ReplayReport } from './history/verify-replay.ts'
export type { BlobReference, Blobs } from './store/blobs.ts'
export type {
  AppendOptions,
  EventStore,
  FactSelection,
  FollowOptions,
  ReadOptions,
  StreamAppend,
  StreamHead,
  StreamSummary,
  StreamsOptions,
} from './store/event-store.ts'
export type { ChainedStore } from './store/level/chained-store.ts'
export { levelStore } from './store/level/store.ts'
export { memoryStore } from './store/memory-store.ts'
export { type Telemetry, type TelemetryOptions, telemetry } from './telemetry/telemetry.ts'

// Everyday errors

export { AgentExistsError, AgentNotFoundError, MailboxFullError } from './events/errors/agent.ts'
export { ClaudeAgentError } from './events/errors/base.ts'
export {
  ApiUnavailableError,
  AuthenticationError,
  CallTimeoutError,
  ClaudeExecutionError,
  OverloadedError,
  RateLimitedError,
  RefusedError,
} from './events/errors/call.ts'
export { TaskHeldError, TaskRejectedError } from './events/errors/hold.ts'
export { RunFinishedError, RunInterruptedError, RunNotFoundError } from './events/errors/run.ts'
export { StoreInUse, StoreLockLost } from './events/errors/store.ts'
export { SupervisionFailedError } from './events/errors/supervision.ts'
export { TaskCancelledError } from './events/errors/task.ts'
export { ClosedError, InvalidInputError } from './events/errors/usage.ts'
