/**
 * All errors that this package throws, by area: `claude-multi-agent/errors`.
 *
 * Each has `_tag`, `message`, `summary`, `hint`, `details`, `retryable` and `cause`. The details of a failed call
 * (`ClaudeExecutionError`) are `said`, `status` and `retryAfterMs`, if known.
 */

export * from '../events/errors/actor.ts'
export * from '../events/errors/agent.ts'
export * from '../events/errors/archive.ts'
export * from '../events/errors/base.ts'
export * from '../events/errors/call.ts'
export * from '../events/errors/config.ts'
export * from '../events/errors/fact.ts'
export * from '../events/errors/history.ts'
export * from '../events/errors/hold.ts'
export * from '../events/errors/inspector.ts'
export * from '../events/errors/owner.ts'
export { callErrorFrom, type ErrorData, RecordedError } from '../events/errors/recorded.ts'
export * from '../events/errors/run.ts'
export * from '../events/errors/store.ts'
export * from '../events/errors/supervision.ts'
export * from '../events/errors/task.ts'
export * from '../events/errors/usage.ts'
export * from '../events/errors/workspace.ts'
