/** The running processes of calls, matched with what the log knows of them: a pure function. */
import type { CallProcesses } from '../../claude/runner.ts'
import type { OpenCall } from './state.ts'

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
  readonly call: OpenCall
  /** Whether this process manages it. */
  readonly isOurs: boolean
}

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
