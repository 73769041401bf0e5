/** Turns errors of the file system into errors that say what they concern. */

import { ClaudeAgentError } from '../../events/errors/base.ts'
import { codeOf, systemFailure } from '../../events/errors/phrases.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { defined } from '../../events/json.ts'

/** Runs the work; an error of the file system becomes a {@link WorkspaceError} about `path`. */
export async function about<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    const code = codeOf(cause)
    if (cause instanceof ClaudeAgentError || !/^E[A-Z0-9]+$/.test(code)) throw cause
    const other = { problem: `it cannot be placed in the workspace (${code})`, hint: undefined }
    const { problem, hint } = systemFailure(cause) ?? other
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
