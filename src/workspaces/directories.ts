/** The two directories of an agent, and the mark by which their processes are found. */

/** Where an agent lives. `home` is not inside `workspace`: what an agent writes must not configure its next call. */
export interface AgentDirectories {
  /** The working directory of its calls. */
  readonly workspace: string
  /** HOME, and the parent of the directory where the sessions are kept. */
  readonly home: string
  /** The base directory that both are in. */
  readonly base?: string
}

/** Says whose process it is, so that a sweep never ends one of another store. */
export const HOME_MARKER = 'CLAUDE_AGENTS_HOME'
