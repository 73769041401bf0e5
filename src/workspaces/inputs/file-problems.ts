/** Turns errors of the file system into errors that say what they concern. */

import { ClaudeAgentError } from '../../events/errors/base.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { defined } from '../../events/json.ts'

const PROBLEMS: Readonly<Record<string, readonly [problem: string, hint?: string]>> = {
  EACCES: ['permission denied', 'Change its permissions or its owner, then try again.'],
  EPERM: [
    'the system does not permit it',
    'If it is immutable (lsattr shows an i), make it changeable with chattr -i, then try again.',
  ],
  EBUSY: ['it is in use', 'If something is mounted there, unmount it, then try again.'],
  ENOSPC: ['the disk is full', 'Free some space, then try again.'],
  EDQUOT: ['the disk quota is exhausted', 'Free some space, then try again.'],
  EROFS: ['the disk is read-only'],
  EMFILE: ['too many open files'],
  ENAMETOOLONG: ['a name in it is too long'],
  EXDEV: ['the workspace and the home of the agent are on different disks', 'Keep both on one disk.'],
}

export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** Runs the work; an error of the file system becomes a {@link WorkspaceError} about `path`. */
export async function about<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    const code = codeOf(cause)
    if (cause instanceof ClaudeAgentError || !/^E[A-Z0-9]+$/.test(code)) throw cause
    const [problem, hint] = PROBLEMS[code] ?? [`it cannot be placed in the workspace (${code})`]
    throw new WorkspaceError(defined({ path, problem, hint }), { cause })
  }
}

/** The result, or null if the file system fails with one of these codes. */
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
