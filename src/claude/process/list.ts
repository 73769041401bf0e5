/** The processes of a base directory's calls as the system shows them, for who has not opened its store. */
import { callProcesses } from './marked.ts'

/** A call of which processes run. Whether the log knows it, only who has the store open can say. */
export interface ListedProcess {
  readonly agent: string
  readonly taskId: string | null
  readonly callId: string
  readonly pid: number
  readonly ageMs: number
  readonly others: number
}

/**
 * Reads the system's table of processes alone: no store is opened, and no lock is needed. On Linux; elsewhere
 * environments may not be read, and nothing is found.
 */
export async function listProcesses(baseDir: string): Promise<readonly ListedProcess[]> {
  return (await callProcesses(baseDir)).map(({ startTime: _, ...listed }) => listed)
}
