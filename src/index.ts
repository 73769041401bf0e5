/** Everything that this package offers to a program. */
export { Agent, type AgentMetrics } from './actors/agent.ts'
export type { Recovery } from './actors/agent-environment.ts'
export type { ForkOptions } from './actors/agent-fork.ts'
export { type AgentSnapshot, type AgentStatus, agentMachine } from './actors/agent-machine.ts'
export type { AgentOptions } from './actors/agent-options.ts'
export type { RunningProcess } from './actors/agent-processes.ts'
export type { AgentInfo } from './actors/agent-system.ts'
export type { AskOptions } from './actors/agent-tasks.ts'
export type { Rejection, Verdict } from './actors/approvals.ts'
export type { Budget } from './actors/budget-decisions.ts'
export type { BudgetInfo } from './actors/budget-ledger.ts'
export type { BudgetScope } from './actors/budget-scope.ts'
export type { ChildInfo } from './actors/child-info.ts'
export type { DeadLetter } from './actors/dead-letters.ts'
export type { Exit, Supervised } from './actors/exit.ts'
export type { HeldTask } from './actors/held-task.ts'
export type { Limits } from './actors/limits.ts'
export type { Inspection } from './actors/live-machine.ts'
export {
  type ActorParts,
  type ActorRef,
  type Circumstances,
  type Decided,
  defineActor,
  type EffectRun,
  exportedActors,
  type OwnEffect,
  type OwnKind,
} from './actors/own-actor.ts'
export type { AnyStep, Step } from './actors/replay.ts'
export { type ReplayOptions, replayStream } from './actors/replay-stream.ts'
export { assertReplayable } from './actors/replayable.ts'
export type { RetentionRule } from './actors/retention.ts'
export type { RunSnapshot, RunStatus } from './actors/run-machine.ts'
export type { SessionLink } from './actors/session-links.ts'
export { type StateAt, stateAt, type When } from './actors/state-at.ts'
export { type StateChange, stateChanges } from './actors/state-changes.ts'
export type { StateHash, StreamHash } from './actors/state-hash.ts'
export type {
  ChildSpecification,
  StartChild,
  SupervisorSpecification,
} from './actors/supervision-specification.ts'
export { Supervisor } from './actors/supervisor.ts'
export type { SupervisorSnapshot, SupervisorStatus } from './actors/supervisor-machine.ts'
export { type Reply, TaskHandle } from './actors/task-handle.ts'
export {
  type ChangedMachine,
  type Divergence,
  type ReplayReport,
  type VerifyReplayOptions,
  verifyReplay,
} from './actors/verify-replay.ts'
export { AgentFactory } from './agent-factory.ts'
export { type ClaudeCliOptions, claudeCli } from './claude/claude-cli.ts'
export { type CommandRunnerOptions, commandRunner } from './claude/command-runner.ts'
export type {
  AgentDirectories,
  AgentRunner,
  Call,
  CallMessage,
  CallResult,
  CallSettings,
  ProcessIdentity,
  Recovered,
  Usage,
} from './claude/runner.ts'
export { type Clock, systemClock } from './clock.ts'
export {
  type AgentDefaults,
  type Config,
  type ConfigSources,
  type DeclaredAgent,
  type DeclaredChild,
  type DeclaredTree,
  findConfigFile,
  loadConfig,
  type Origin,
  type ResolvedSetting,
} from './config.ts'
export { configJsonSchema } from './config-schema.ts'
export { type Check, type DoctorOptions, diagnose } from './doctor.ts'
export * from './events/actor-errors.ts'
export type { AgentConfig, AgentFact, Hold, RetryPolicy } from './events/agent-facts.ts'
export * from './events/archive-errors.ts'
export * from './events/call-errors.ts'
export type { Fact, NewFact, Recorded } from './events/envelope.ts'
export * from './events/errors.ts'
export * from './events/history-errors.ts'
export * from './events/hold-errors.ts'
export { checkStreamName } from './events/ids.ts'
export * from './events/input-errors.ts'
export * from './events/inspect-errors.ts'
export type { Json, JsonObject } from './events/json.ts'
export type { FactSchema, FactsOf, OwnFact, OwnFacts, StandardSchema } from './events/own-facts.ts'
export * from './events/owner-errors.ts'
export * from './events/run-errors.ts'
export * from './events/store-errors.ts'
export * from './events/supervision-errors.ts'
export type { ExitReason, SupervisorFact, SupervisorRules } from './events/supervisor-facts.ts'
export type {
  FileMapping,
  FolderMapping,
  GitHubRepo,
  Material,
  PlacedInput,
  TaskInput,
} from './events/task-input.ts'
export { type CauseLine, causesOf, effectsOf } from './history/causes.ts'
export { type PastTask, pastTask } from './history/past-task.ts'
export { type Grouping, type Statistics, statistics } from './history/statistics.ts'
export {
  compactLog,
  exportLog,
  exportText,
  importLog,
  openExport,
  restore,
  stateHash,
} from './log-archive.ts'
export type { Logger } from './logger.ts'
export { type LogRange, Orchestrator, type OrchestratorOptions } from './orchestrator.ts'
export * from './patterns/index.ts'
export { Run } from './patterns/run.ts'
export type { ForkedRun, RunForkOptions } from './patterns/run-fork.ts'
export { type ListedProcess, listProcesses } from './process-list.ts'
export { closeOnSignal, type Shutdown, type ShutdownOptions } from './shutdown.ts'
export type { ArchiveSource } from './store/archive-source.ts'
export type { ArchiveSummary, ExportOptions } from './store/archive-writer.ts'
export { backup, backupDirectory } from './store/backup.ts'
export type { BlobReference, Blobs } from './store/blobs.ts'
export type { ChainedStore } from './store/chained-store.ts'
export type { CompactionReport } from './store/compact-store.ts'
export type {
  AppendOptions,
  EventStore,
  FollowOptions,
  ReadOptions,
  StreamHead,
  StreamSummary,
  StreamsOptions,
} from './store/event-store.ts'
export { levelStore } from './store/level-store.ts'
export { memoryStore } from './store/memory-store.ts'
export type { DamagedStream, LossReport, LostBlob, LostFacts } from './store/repair/loss-report.ts'
export { lossLines } from './store/repair/loss-report.ts'
export { repairStore } from './store/repair-store.ts'
export type { RestoredStore } from './store/restore.ts'
export type { Finding, FindingKind, VerifyReport } from './store/verify/finding.ts'
export { type VerifyOptions, verifyStore } from './store/verify-store.ts'
export { type Telemetry, type TelemetryOptions, telemetry } from './telemetry/telemetry.ts'
export { type FactType, type KnownFact, ofType, type RecordedFact } from './typed-facts.ts'
export {
  type DefinitionOptions,
  type NamedWorkflow,
  PATTERNS,
  type StepDefinition,
  type WorkflowDefinition,
} from './workflow-definition.ts'
export { BrainstormWorkflow } from './workflows/brainstorm-workflow.ts'
export { CodeReviewWorkflow } from './workflows/code-review-workflow.ts'
export { loadModule } from './workflows/exported-pattern.ts'
export { ResearchWorkflow } from './workflows/research-workflow.ts'
export {
  TEMPLATES,
  templateNamed,
  type WorkflowReference,
  type WorkflowSources,
  workflowPattern,
} from './workflows/workflow-pattern.ts'
export {
  type TemplateDefinition,
  type TemplateOptions,
  type WorkflowHost,
  WorkflowTemplate,
} from './workflows/workflow-template.ts'
