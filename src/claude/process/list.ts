/** The processes of a base directory's calls, for programs that have not opened its store. */
import { callProcesses } from './marked.ts'

/** A call with running processes. Only the owner of the store can tell whether the log knows the call. */
export interface ListedProcess {
  readonly agent: string
  readonly taskId: string | null
  readonly callId: string
  readonly pid: number
  readonly ageMs: number
  readonly others: number
}

/**
 * Reads only the process table: opens no store and takes no lock. Finds nothing except on Linux, because other
 * systems do not expose environments.
 */
export async function listProcesses(baseDir: string): Promise<readonly ListedProcess[]> {
  return (await callProcesses(baseDir)).map(({ startTime: _, ...listed }) => listed)
}
