/** Agents as entities of the cluster: what can be asked of one. Requests and answers are JSON, as between an owner and its clients. */
import { Entity } from 'effect/cluster'
import { Rpc } from 'effect/rpc'
import * as Schema from 'effect/Schema'
import { LIFE_COMMANDS } from '../owner/commands.ts'

/** Calls a method of the agent, or one of the orchestrator that is about this agent. */
const command = Rpc.make('Command', { payload: { request: Schema.String }, success: Schema.String })

/** Asks the agent, and tells line by line what becomes of the task. Asked again under its id, it is the same task. */
const ask = Rpc.make('Ask', { payload: { request: Schema.String }, success: Schema.String, stream: true })

/** Shows the answer that the agent is writing. */
const drafts = Rpc.make('Drafts', { success: Schema.String, stream: true })

export const agentEntity = Entity.make('agent', [command, ask, drafts])

/** Methods of the orchestrator of a worker that make or end an agent. */
export const WORKER_COMMANDS: readonly string[] = [...LIFE_COMMANDS, 'copyAgent']

/** What an entity calls: a method of its agent, or one of the orchestrator that makes or ends it. */
export interface EntityCommand {
  readonly method: string
  readonly args: readonly unknown[]
}

export interface EntityAsk {
  readonly taskId: string
  readonly task: unknown
  readonly options: object
}
