/** The agents of a log, from the summaries that the store keeps: no agent is loaded, and no fact is folded. */
import type { JsonObject } from '../../events/json.ts'
import type { EventStore, StreamsOptions } from '../../store/event-store.ts'
import { isThere } from '../../store/stream-count.ts'
import type { AgentStatus } from './machine.ts'

/** An agent in a list. */
export interface AgentInfo {
  readonly id: string
  readonly status: AgentStatus
  readonly version: number
  readonly currentSession: string | null
  /** Tasks that are queued or running. */
  readonly queue: number
  readonly totalInteractions: number
  /** Of all calls, however they ended, as budgets count them. */
  readonly totalTokens: number
  readonly totalCostUsd: number
  /** The part of the cost that is an estimate, because calls were cut off or reported no price. */
  readonly estimatedCostUsd: number
  /** Queued tasks that wait for approval or for room in a budget. */
  readonly held: number
  /** Answers that arrived after their task had ended. */
  readonly lateAnswers: number
}

/** Begins the names of the streams of agents. */
export const AGENT_STREAMS = 'agent/'

/** By name, all of them or those that have tasks. The cost does not depend on the length of their histories. */
export async function listedAgents(
  store: Pick<EventStore, 'streams'>,
  { open = false }: { readonly open?: boolean } = {},
): Promise<readonly AgentInfo[]> {
  const infos: AgentInfo[] = []
  for await (const info of agentInfos(store, { prefix: AGENT_STREAMS, open })) infos.push(info)
  return infos
}

export async function* agentInfos(
  store: Pick<EventStore, 'streams'>,
  options: StreamsOptions,
): AsyncGenerator<AgentInfo> {
  for await (const { stream, version, summary } of store.streams(options))
    if (summary && isThere(summary)) yield agentInfo(stream, version, summary.status, summary.info ?? {})
}

export const agentIdOf = (stream: string) => stream.slice(AGENT_STREAMS.length)

function agentInfo(stream: string, version: number, status: string, info: JsonObject): AgentInfo {
  return {
    id: agentIdOf(stream),
    status: status as AgentStatus,
    version,
    currentSession: typeof info.currentSession === 'string' ? info.currentSession : null,
    queue: Number(info.queue ?? 0),
    totalInteractions: Number(info.totalInteractions ?? 0),
    totalTokens: Number(info.totalTokens ?? 0),
    totalCostUsd: Number(info.totalCostUsd ?? 0),
    estimatedCostUsd: Number(info.estimatedCostUsd ?? 0),
    held: Number(info.held ?? 0),
    lateAnswers: Number(info.deadLetters ?? 0),
  }
}
