/** Which processes of calls run, and what the log knows of them: pure. */
import type { CallProcesses } from '../../claude/runner.ts'
import type { OpenCall } from './state.ts'

/** The processes of one call. */
export interface RunningProcess {
  readonly agent: string
  /** null where neither the log nor the process tells. */
  readonly taskId: string | null
  readonly callId: string
  /** Of the first of them. */
  readonly pid: number
  readonly ageMs: number
  /** How many more it has started that still run. */
  readonly others: number
  /**
   * `known`: the log has the call as one that is under way. `orphan`: it has not; the process is ended by the next
   * opening, or when its owner comes to it.
   */
  readonly state: 'known' | 'orphan'
  /** The process that looks after it; null where nobody does until it is adopted or ended. */
  readonly owner: number | null
}

/** A call that the log has as under way. */
export interface KnownCall {
  readonly agent: string
  readonly taskId: string
  readonly call: OpenCall
  /** Whether this process looks after it. */
  readonly isOurs: boolean
}

/** What runs, with what is known of it. */
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
