/** What the file system refused, as errors that say what it was about. */
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'

const PROBLEMS: Readonly<Record<string, readonly [problem: string, hint?: string]>> = {
  EACCES: ['permission denied'],
  EPERM: ['the system does not allow it'],
  ENOSPC: ['the disk is full', 'Free some space, then try again.'],
  EDQUOT: ['the disk quota is exhausted', 'Free some space, then try again.'],
  EROFS: ['the disk cannot be written to'],
  EMFILE: ['too many files are open'],
  ENAMETOOLONG: ['a name in it is too long'],
  EXDEV: ['the workspace and the home of the agent are not on the same disk', 'Keep both on one disk.'],
}

export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** Runs the work; a failure of the file system in it becomes a {@link WorkspaceError} about `path`. */
export async function about<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    const code = codeOf(cause)
    if (cause instanceof ClaudeAgentError || !/^E[A-Z0-9]+$/.test(code)) throw cause
    const [problem, hint] = PROBLEMS[code] ?? [`it cannot be placed in the workspace (${code})`]
    throw new WorkspaceError({ path, problem, ...(hint === undefined ? {} : { hint }) }, { cause })
  }
}

/** The result, or null where the file system says one of these codes. */
export async function unless<Result>(
  codes: readonly string[],
  work: Promise<Result>,
): Promise<Result | null> {
  try {
    return await work
  } catch (error) {
    if (codes.includes(codeOf(error))) return null
    throw error
  }
}
