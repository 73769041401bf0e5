/** Everything that this package offers to a program. */
export { Agent, type AgentMetrics, type AskOptions, type SessionLink } from './actors/agent.ts'
export { type AgentSnapshot, type AgentStatus, agentMachine } from './actors/agent-machine.ts'
export type { AgentOptions } from './actors/agent-options.ts'
export type { AgentInfo } from './actors/agent-system.ts'
export type { Recovery } from './actors/agent-worker.ts'
export type { Step } from './actors/replay.ts'
export { assertReplayable } from './actors/replayable.ts'
export { type Reply, TaskHandle } from './actors/task-handle.ts'
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
export { type Config, loadConfig } from './config.ts'
export type { AgentConfig, AgentFact, RetryPolicy } from './events/agent-facts.ts'
export * from './events/call-errors.ts'
export type { Fact, NewFact, Recorded } from './events/envelope.ts'
export * from './events/errors.ts'
export * from './events/input-errors.ts'
export type { Json, JsonObject } from './events/json.ts'
export * from './events/store-errors.ts'
export type {
  FileMapping,
  FolderMapping,
  GitHubRepo,
  Material,
  PlacedInput,
  TaskInput,
} from './events/task-input.ts'
export type { Logger } from './logger.ts'
export { type LogRange, Orchestrator, type OrchestratorOptions } from './orchestrator.ts'
export type { BlobReference, Blobs } from './store/blobs.ts'
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
