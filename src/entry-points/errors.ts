/** Every error that is thrown on purpose, by area: `claude-multi-agent/errors`. */

export * from '../events/errors/actor.ts'
export * from '../events/errors/archive.ts'
export * from '../events/errors/base.ts'
export * from '../events/errors/call.ts'
export * from '../events/errors/history.ts'
export * from '../events/errors/hold.ts'
export * from '../events/errors/input.ts'
export * from '../events/errors/inspect.ts'
export * from '../events/errors/owner.ts'
export * from '../events/errors/run.ts'
export * from '../events/errors/store.ts'
export * from '../events/errors/supervision.ts'
