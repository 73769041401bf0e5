/** The calls of an agent up to a version, with the session of each: a tree, because each session names its parent. */
import type { Recorded } from '../events/envelope.ts'
import type { EventStore } from '../store/event-store.ts'
import { brief, unmarked } from './text.ts'
import type { SessionNode } from './view.ts'

type MutableCall = { -readonly [K in keyof SessionNode]: SessionNode[K] } & { callId: string }

/** How many facts are read, backwards from the version: about 100 calls. */
const FACTS_READ = 500

/** The newest calls, oldest first, and whether there are older ones. */
export async function sessionsAt(
  store: EventStore,
  stream: string,
  version: number,
): Promise<{ readonly sessions: readonly SessionNode[]; readonly more: boolean }> {
  const after = Math.max(0, version - FACTS_READ)
  const facts: Recorded[] = []
  for await (const recorded of store.read(stream, { after, to: version })) facts.push(recorded)
  return { sessions: callsIn(facts), more: after > 0 }
}

/** The calls in these facts of one agent; with `onlyTask`, those of that task. */
export function callsIn(facts: readonly Recorded[], onlyTask?: string): readonly SessionNode[] {
  const calls = new Map<string, MutableCall>()
  const asked = new Map<string, string>()
  let newest: MutableCall | undefined
  for (const { type, data, position, at } of facts) {
    const { taskId, callId } = data as { taskId?: string; callId?: string }
    if (type === 'AgentCreated') calls.clear()
    if (taskId === undefined || (onlyTask !== undefined && taskId !== onlyTask)) continue
    if (type === 'TaskAccepted' && typeof data.prompt === 'string')
      asked.set(taskId, unmarked(data.prompt, 80))
    if (type === 'CallStarted' && callId !== undefined) {
      newest = startedCall(data as unknown as StartedCall, position, at, asked.get(taskId) ?? '')
      calls.set(callId, newest)
      continue
    }
    const call = callId === undefined ? newest : calls.get(callId)
    if (call && type.startsWith('Late')) call.costUsd += (data as EndOfCall).costUsd ?? 0
    const outcome = OUTCOMES[type]
    if (!call || !outcome || call.outcome !== 'open') continue
    const { costUsd = 0, error, reason } = data as EndOfCall
    Object.assign(call, {
      outcome,
      endPosition: position,
      durationMs: Math.max(0, Date.parse(at) - Date.parse(call.startedAt)),
      costUsd,
      problem: error ? brief(`${error.tag}: ${error.message}`, 300) : reason ? brief(reason) : null,
    })
  }
  return [...calls.values()].map(({ callId: _, ...call }) => call)
}

interface StartedCall {
  readonly callId: string
  readonly taskId: string
  readonly attempt: number
  readonly sessionId: string
  readonly parentSessionId: string | null
}

interface EndOfCall {
  readonly costUsd?: number
  readonly error?: { readonly tag: string; readonly message: string }
  readonly reason?: string
}

const OUTCOMES: Readonly<Record<string, SessionNode['outcome']>> = {
  CallSucceeded: 'succeeded',
  CallFailed: 'failed',
  CallOutcomeUnknown: 'unknown',
  TaskCancelled: 'failed',
}

function startedCall(data: StartedCall, position: number, startedAt: string, asked: string): MutableCall {
  const { callId, taskId, attempt, sessionId, parentSessionId } = data
  return {
    callId,
    taskId,
    asked,
    attempt,
    sessionId,
    parentSessionId,
    position,
    startedAt,
    outcome: 'open',
    endPosition: null,
    durationMs: null,
    costUsd: 0,
    problem: null,
  }
}
