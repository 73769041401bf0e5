/** The running processes of calls, matched with what the log knows of them: a pure function. */
import type { CallProcesses } from '../../claude/runner.ts'
import type { StreamSummary } from '../../store/event-store.ts'

/** The processes of one call. */
export interface RunningProcess {
  readonly agent: string
  /** null if neither the log nor the process tells. */
  readonly taskId: string | null
  readonly callId: string
  /** Of the first process. */
  readonly pid: number
  readonly ageMs: number
  /** How many other processes of the call still run. */
  readonly others: number
  /**
   * `known`: the log has the call as open. `orphan`: it does not; the process is terminated when its store is next
   * opened or swept.
   */
  readonly state: 'known' | 'orphan'
  /** The process that manages it; null while none does. */
  readonly owner: number | null
}

/** A call that the log has as open. */
export interface KnownCall {
  readonly agent: string
  readonly taskId: string
  readonly call: { readonly callId: string }
  /** Whether this process manages it. */
  readonly isOurs: boolean
}

/** The ids of the open call that an agent's summary names; null if there is none, undefined if the summary is too old to tell. */
export const callIn = (summary: StreamSummary | null) =>
  summary?.info?.call as { readonly taskId: string; readonly callId: string } | null | undefined

/** Matches the processes found with the calls the log knows. */
export function runningProcesses(
  found: readonly CallProcesses[],
  known: readonly KnownCall[],
  pid: number,
): readonly RunningProcess[] {
  const byCall = new Map(known.map((one) => [one.call.callId, one]))
  return found.map(({ agent, taskId, callId, pid: first, ageMs, others }) => {
    const one = byCall.get(callId)
    const owner = one?.isOurs ? pid : null
    return {
      agent,
      taskId: one?.taskId ?? taskId,
      callId,
      pid: first,
      ageMs,
      others,
      state: one ? ('known' as const) : ('orphan' as const),
      owner,
    }
  })
}
