/** What came up when a call began: the program, its model, its tools, and what became of its MCP servers. Bounded. */
import * as Schema from 'effect/Schema'

const Label = Schema.NullOr(Schema.String)

/** `status` is in the words of the CLI: `connected`, `failed`, `needs-auth`. */
const ServerStatus = Schema.Struct({ name: Schema.String, status: Schema.String })
/** What became of an MCP server when a call began. */
export type ServerStatus = typeof ServerStatus.Type

const CallSetup = Schema.Struct({
  version: Label,
  model: Label,
  tools: Schema.Array(Schema.String),
  servers: Schema.Array(ServerStatus),
})
export type CallSetup = typeof CallSetup.Type

/** Absent if it said nothing, or was recovered after a crash. */
export const setup = { setup: Schema.optionalKey(CallSetup) }
