/** What a supervisor tells of a child. */
import type { Failure } from '../../events/agent-facts.ts'
import type { ChildData } from '../../events/options/supervision.ts'
import type { Supervised } from '../engine/exit.ts'
import type { ChildState } from './state.ts'

/** A child as it is now. */
export interface ChildInfo {
  readonly id: string
  readonly status: ChildState['status']
  /** How often it was restarted. */
  readonly restarts: number
  readonly type: ChildData['type']
  readonly restart: ChildData['restart']
  /** When it will be restarted, where that waits for a time. */
  readonly dueAt: string | null
  /** Why it ended last, or could not be started; null while it runs. */
  readonly failure: Failure | null
  /** The agent, the supervisor, or what `start` gave; null while it does not run. */
  readonly ref: unknown
}

export function childInfo(
  { data, status, restarts, dueAt, failure }: ChildState,
  child: Supervised | undefined,
): ChildInfo {
  const { id, type, restart } = data
  const ref = child && ('ref' in child ? child.ref : child)
  return { id, status, restarts, type, restart, dueAt, failure, ref: ref ?? null }
}
