/** What lists say of an agent: the summary of its state, which is kept with each commit, and read without a fold. */
import type { JsonObject } from '../../events/json.ts'
import type { EventStore, StreamSummary, StreamsOptions } from '../../store/event-store.ts'
import { isThere } from '../../store/stream-count.ts'
import { wakingMessage } from './mailbox/unread.ts'
import { type AgentState, type AgentStatus, totalTokens } from './state.ts'

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
  /** Tasks that wait for a person, for room in a budget, or for their account. */
  readonly held: number
  /** Messages that it has not read. Absent if there are none. */
  readonly unread?: number
  /** Of these, the ones that wait for a person. Absent if there are none. */
  readonly heldMessages?: number
  /** Answers that arrived after their task had ended. */
  readonly lateAnswers: number
  /** The labels that a worker must have for it to live there. Absent if there are none. */
  readonly requires?: readonly string[]
}

/** The labels by which an agent is placed, now and before they changed; undefined if there is no such agent. */
export interface RequiredLabels {
  readonly now: readonly string[]
  /** The sets before that, the last one first. */
  readonly before: readonly (readonly string[])[]
}

export function requiredLabels(summary: StreamSummary | null): RequiredLabels | undefined {
  if (!isThere(summary)) return undefined
  const { requires, requiredBefore } = summary?.info ?? {}
  return {
    now: labelsIn(requires),
    before: Array.isArray(requiredBefore) ? requiredBefore.map(labelsIn) : [],
  }
}

const labelsIn = (value: unknown) => (Array.isArray(value) ? value.map(String) : [])

export function summarizeAgent({ value, context }: AgentState): StreamSummary {
  const { current, queue, totals, session, deadLetters, abandoned = [], unread = [] } = context
  const { config, requiredBefore } = context
  const heldMessages = unread.filter((message) => message.held).length
  const held = queue.filter(({ hold }) => hold !== undefined).length + (value === 'held' ? 1 : 0)
  return {
    status: value,
    open: current !== null || queue.length + abandoned.length + heldMessages > 0 || !!wakingMessage(context),
    info: {
      currentSession: session,
      queue: queue.length + (current ? 1 : 0),
      totalInteractions: totals.interactions,
      totalTokens: totalTokens(totals),
      totalCostUsd: totals.costUsd,
      ...(totals.estimatedUsd ? { estimatedCostUsd: totals.estimatedUsd } : {}),
      ...(held === 0 ? {} : { held }),
      ...(unread.length === 0 ? {} : { unread: unread.length }),
      ...(heldMessages === 0 ? {} : { heldMessages }),
      ...(deadLetters === 0 ? {} : { deadLetters }),
      ...(config?.requires === undefined ? {} : { requires: config.requires }),
      ...(requiredBefore === undefined ? {} : { requiredBefore }),
      // Of an agent at work, for those who look for its process.
      ...(current === null
        ? {}
        : { call: current.call && { taskId: current.taskId, callId: current.call.callId } }),
    },
  }
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
    ...(info.unread === undefined ? {} : { unread: Number(info.unread) }),
    ...(info.heldMessages === undefined ? {} : { heldMessages: Number(info.heldMessages) }),
    lateAnswers: Number(info.deadLetters ?? 0),
    ...(info.requires === undefined ? {} : { requires: labelsIn(info.requires) }),
  }
}
