/** Whose files these are and where, and what can be told of them without git. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { NO_FILES } from '../../events/agent-facts.ts'
import { codeOf } from '../../events/errors/phrases.ts'
import type { RepositoryWorkspace } from '../../events/options/agent.ts'
import type { AgentDirectories } from '../directories.ts'
import type { SavedFiles } from './file-history.ts'

/** Whose files these are, and where. */
export interface FilesPlace {
  readonly agent: string
  /** The repository that it works on; undefined if its workspace is a directory of its own. */
  readonly workspace: RepositoryWorkspace | undefined
  readonly directories: AgentDirectories
  /**
   * The newest snapshot in the log, from which a workspace that is gone is made again. Default: the commit that the agent
   * began from, or no files.
   */
  readonly last?: string | undefined
  /** Called when a workspace that was gone is there again. */
  readonly rebuilt?: () => void
}

/** The same of an agent that works on a repository. */
export interface RepositoryPlace extends FilesPlace {
  readonly workspace: RepositoryWorkspace
}

/** Whose snapshots are read, whether or not the agent is still there. */
export type SnapshotsPlace = Pick<FilesPlace, 'agent' | 'directories'>

export const hasWorktree = (place: FilesPlace): place is RepositoryPlace => place.workspace !== undefined

/** The snapshot of no files. */
export const NOTHING: SavedFiles = { commit: NO_FILES, tree: NO_FILES, changed: 0, added: 0, removed: 0 }

/** Whether the workspace has to be made again: until then, nothing that is not there was removed by anybody. */
export const isGone = ({ directories: { workspace: directory }, workspace }: FilesPlace): boolean =>
  !existsSync(workspace ? join(directory, '.git') : directory)

/** Whether a directory of the agent's own has never had a file, as far as the log knows, and has none. */
export const hasNothing = ({ workspace, directories, last = NO_FILES }: FilesPlace): boolean =>
  !workspace && last === NO_FILES && !hasEntries(directories.workspace)

function hasEntries(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0
  } catch (error) {
    return codeOf(error) !== 'ENOENT'
  }
}
