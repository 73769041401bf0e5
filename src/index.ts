/** Everything that this package offers to a program. */

export type { Budget } from './actors/admission/budget-decisions.ts'
export type { BudgetInfo } from './actors/admission/budget-ledger.ts'
export type { BudgetScope } from './actors/admission/budget-scope.ts'
export type { Limits } from './actors/admission/limits.ts'
export { Agent, type AgentMetrics } from './actors/agent/agent.ts'
export type { Recovery } from './actors/agent/environment.ts'
export { type AgentSnapshot, type AgentStatus, agentMachine } from './actors/agent/machine.ts'
export type { AgentOptions } from './actors/agent/options.ts'
export type { RunningProcess } from './actors/agent/processes.ts'
export type { RetentionRule } from './actors/agent/retention.ts'
export type { ForkOptions } from './actors/agent/session/fork.ts'
export type { SessionLink } from './actors/agent/session/links.ts'
export type { AgentInfo } from './actors/agent/system.ts'
export type { Rejection, Verdict } from './actors/agent/tasks/approvals.ts'
export type { DeadLetter } from './actors/agent/tasks/dead-letters.ts'
export { type Reply, TaskHandle } from './actors/agent/tasks/handle.ts'
export type { HeldTask } from './actors/agent/tasks/held-task.ts'
export type { AskOptions } from './actors/agent/tasks/tasks.ts'
export type { Circumstances } from './actors/engine/definition.ts'
export type { Exit, Supervised } from './actors/engine/exit.ts'
export type { StateAt, When } from './actors/engine/fold-at.ts'
export type { Inspection } from './actors/engine/live-machine.ts'
export type { AnyReplayStep, ReplayStep } from './actors/engine/replay.ts'
export { assertReplayable } from './actors/engine/replayable.ts'
export {
  type ActorParts,
  type ActorRef,
  type Decided,
  defineActor,
  type EffectRun,
  exportedActors,
  type OwnEffect,
  type OwnKind,
} from './actors/own/definition.ts'
export type { ChildInfo } from './actors/supervision/child-info.ts'
export type { SupervisorSnapshot, SupervisorStatus } from './actors/supervision/machine.ts'
export type {
  ChildSpecification,
  StartChild,
  SupervisorSpecification,
} from './actors/supervision/specification.ts'
export { Supervisor } from './actors/supervision/supervisor.ts'
export { type ClaudeCliOptions, claudeCli } from './claude/claude-cli.ts'
export { type CommandRunnerOptions, commandRunner } from './claude/command-runner.ts'
export { type ListedProcess, listProcesses } from './claude/process/list.ts'
export type {
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
  type ResolvedSetting,
  type SettingOrigin,
} from './config/configuration.ts'
export { configJsonSchema } from './config/schema.ts'
export {
  type DefinitionOptions,
  type NamedWorkflow,
  PATTERNS,
  type StepDefinition,
  type WorkflowDefinition,
} from './config/workflow-definition.ts'
export { type Check, type DoctorOptions, diagnose } from './doctor.ts'
export type { AgentConfig, AgentFact, Hold, RetryPolicy } from './events/agent-facts.ts'
export type { Fact, NewFact, Recorded } from './events/envelope.ts'
export * from './events/errors/actor.ts'
export * from './events/errors/agent.ts'
export * from './events/errors/archive.ts'
export * from './events/errors/base.ts'
export * from './events/errors/call.ts'
export * from './events/errors/config.ts'
export * from './events/errors/fact.ts'
export * from './events/errors/history.ts'
export * from './events/errors/hold.ts'
export * from './events/errors/inspector.ts'
export * from './events/errors/owner.ts'
export * from './events/errors/recorded.ts'
export * from './events/errors/run.ts'
export * from './events/errors/store.ts'
export * from './events/errors/supervision.ts'
export * from './events/errors/task.ts'
export * from './events/errors/usage.ts'
export * from './events/errors/workspace.ts'
export { checkStreamName } from './events/ids.ts'
export type { Json, JsonObject } from './events/json.ts'
export type { FactSchema, FactsOf, OwnFact, OwnFacts, StandardSchema } from './events/own-facts.ts'
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
export type { LogRange } from './history/history.ts'
export {
  compactLog,
  exportLog,
  exportText,
  importLog,
  openExport,
  restore,
  stateHash,
} from './history/log-archive.ts'
export { type PastTask, pastTask } from './history/past-task.ts'
export { type ReplayOptions, replayStream } from './history/replay-stream.ts'
export { stateAt } from './history/state-at.ts'
export { type StateChange, stateChanges } from './history/state-changes.ts'
export type { StateHash, StreamHash } from './history/state-hash.ts'
export { type Grouping, type Statistics, statistics } from './history/statistics.ts'
export { type FactType, type KnownFact, ofType, type RecordedFact } from './history/typed-facts.ts'
export {
  type ChangedMachine,
  type Divergence,
  type ReplayReport,
  type VerifyReplayOptions,
  verifyReplay,
} from './history/verify-replay.ts'
export type { Logger } from './logger.ts'
export {
  Orchestrator,
  type OrchestratorBudgets,
  type OrchestratorHeld,
  type OrchestratorHistory,
  type OrchestratorRuns,
} from './orchestrator.ts'
export type { OrchestratorOptions } from './orchestrator-options.ts'
export * from './patterns/index.ts'
export type { ForkedRun, RunForkOptions } from './patterns/runs/fork.ts'
export type { RunSnapshot, RunStatus } from './patterns/runs/machine.ts'
export { Run } from './patterns/runs/run.ts'
export { closeOnSignal, type Shutdown, type ShutdownOptions } from './shutdown.ts'
export type { BlobReference, Blobs } from './store/blobs.ts'
export type { ArchiveSource } from './store/care/archive/source.ts'
export type { ArchiveSummary, ExportOptions } from './store/care/archive/writer.ts'
export { backup, backupDirectory } from './store/care/backup.ts'
export type { CompactionReport } from './store/care/compaction.ts'
export type { DamagedStream, LossReport, LostBlob, LostFacts } from './store/care/repair/loss-report.ts'
export { lossLines } from './store/care/repair/loss-report.ts'
export { repairStore } from './store/care/repair.ts'
export type { RestoredStore } from './store/care/restore.ts'
export { type VerifyOptions, verifyStore } from './store/care/verification.ts'
export type { Finding, FindingKind, VerifyReport } from './store/care/verify/finding.ts'
export type {
  AppendOptions,
  EventStore,
  FollowOptions,
  ReadOptions,
  StreamHead,
  StreamSummary,
  StreamsOptions,
} from './store/event-store.ts'
export type { ChainedStore } from './store/level/chained-store.ts'
export { levelStore } from './store/level/store.ts'
export { memoryStore } from './store/memory-store.ts'
export { type Telemetry, type TelemetryOptions, telemetry } from './telemetry/telemetry.ts'
export { AgentFactory } from './workflows/agent-factory.ts'
export { BrainstormWorkflow } from './workflows/brainstorm.ts'
export { CodeReviewWorkflow } from './workflows/code-review.ts'
export { loadModule } from './workflows/exported-pattern.ts'
export {
  TEMPLATES,
  templateNamed,
  type WorkflowReference,
  type WorkflowSources,
  workflowPattern,
} from './workflows/pattern.ts'
export { ResearchWorkflow } from './workflows/research.ts'
export {
  type TemplateDefinition,
  type TemplateOptions,
  type WorkflowHost,
  WorkflowTemplate,
} from './workflows/template.ts'
export type { AgentDirectories } from './workspaces/directories.ts'
