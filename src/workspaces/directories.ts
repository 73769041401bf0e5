/** The two directories of an agent, and the marker that identifies their processes. */

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
