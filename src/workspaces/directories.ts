/** Where the agents of a base directory live: their directories, their snapshots, and what every program in them is given. */
import { delimiter, isAbsolute, resolve } from 'node:path'

/** Where an agent lives. `home` is outside `workspace`, so that what an agent writes cannot configure its next call. */
export interface AgentDirectories {
  /** The working directory of its calls. */
  readonly workspace: string
  /** HOME, and where the sessions are stored. */
  readonly home: string
  /** The base directory that contains both. */
  readonly base?: string
  /** The repository of the snapshots of its files. Default: one in the base directory, for all agents. */
  readonly snapshots?: string
}

/** Identifies the agent a process belongs to, so that a sweep never kills processes of another store. */
export const HOME_MARKER = 'CLAUDE_AGENTS_HOME'

/** A PATH without relative entries, which would lead to programs in the directory that is worked on. */
export const absoluteEntries = (path: string): string =>
  path.split(delimiter).filter(isAbsolute).join(delimiter)

/** The folder of a base directory that has a folder for each agent. */
export const agentsFolder = (baseDir: string): string => resolve(baseDir, 'agents')

/** The repository of the snapshots of all agents. */
export const snapshotsPath = (baseDir: string): string => resolve(baseDir, SNAPSHOTS)

/** Where an agent lives in a base directory. `ownSnapshots`: its snapshots have a repository of their own. */
export function agentDirectories(
  baseDir: string,
  agent: string,
  { ownSnapshots = false } = {},
): AgentDirectories & { readonly base: string } {
  const own = resolve(agentsFolder(baseDir), agent)
  const directories = { workspace: resolve(own, 'workspace'), home: resolve(own, 'home'), base: baseDir }
  return ownSnapshots ? { ...directories, snapshots: resolve(own, SNAPSHOTS) } : directories
}

const SNAPSHOTS = 'files.git'
