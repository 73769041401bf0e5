/** Agents and runs as entities of the cluster: what can be asked of one. Requests and answers are JSON, as between an owner and its clients. */
import { ClusterSchema, Entity } from 'effect/cluster'
import type { Sharding } from 'effect/cluster/Sharding'
import * as Effect from 'effect/Effect'
import type * as ManagedRuntime from 'effect/ManagedRuntime'
import { Rpc } from 'effect/rpc'
import * as Schema from 'effect/Schema'
import * as Stream from 'effect/Stream'
import type { Transport } from './client.ts'
import { groupPlace } from './labels/groups.ts'

/**
 * What a request is about: `log` is the id of the store. At an address that a worker of one cluster has had, there may be one of
 * another by now.
 */
const about = { log: Schema.String }
const asking = { ...about, request: Schema.String }

/** Calls a method of the agent, or one of the orchestrator that is about this agent. */
const command = Rpc.make('Command', { payload: asking, success: Schema.String })

/** Asks the agent, and tells line by line what becomes of the task. Asked again under its id, it is the same task. */
const ask = Rpc.make('Ask', { payload: asking, success: Schema.String, stream: true })

/** Shows the answer that the agent is writing. */
const drafts = Rpc.make('Drafts', { payload: about, success: Schema.String, stream: true })

/** Its id is the address of the agent, with the group of shards in which it lives. */
export const agentEntity = Entity.make('agent', [command, ask, drafts]).annotate(
  ClusterSchema.ShardGroup,
  (address) => groupPlace(address).group,
)

/** A run of a workflow that is data. Asking starts or resumes it, and tells line by line what becomes of it. */
export const runEntity = Entity.make('run', [command, ask])

/**
 * Through the engine, which knows the worker of each.
 *
 * @param log The id of the store.
 */
export function engineTransport(
  runtime: ManagedRuntime.ManagedRuntime<Sharding, unknown>,
  log: string,
): Transport {
  const lines = (asked: Effect.Effect<AsyncIterable<string>, unknown, Sharding>) => runtime.runPromise(asked)
  return {
    command: (kind, id, request, signal) =>
      runtime.runPromise(
        kind === 'agent'
          ? Effect.flatMap(agentEntity.client, (clientFor) => clientFor(id).Command({ log, request }))
          : Effect.flatMap(runEntity.client, (clientFor) => clientFor(id).Command({ log, request })),
        { signal },
      ),
    ask: (kind, id, request) =>
      lines(
        kind === 'agent'
          ? Effect.flatMap(agentEntity.client, (clientFor) =>
              Stream.toAsyncIterableEffect(clientFor(id).Ask({ log, request })),
            )
          : Effect.flatMap(runEntity.client, (clientFor) =>
              Stream.toAsyncIterableEffect(clientFor(id).Ask({ log, request })),
            ),
      ),
    drafts: (agent) =>
      lines(
        Effect.flatMap(agentEntity.client, (clientFor) =>
          Stream.toAsyncIterableEffect(clientFor(agent).Drafts({ log })),
        ),
      ),
  }
}
