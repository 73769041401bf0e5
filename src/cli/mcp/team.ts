/** The team as the tools of the MCP server work with it. */
import { type ToolAdvice, toolsFor } from '../../mcp/tool.ts'
import type { Session } from '../session.ts'

type Work<T> = (session: Pick<Session, 'orchestrator' | 'owner'>) => Promise<T>

/** The team that the tools work with. */
export interface ToolTeam {
  /** The agents that the configuration declares. */
  readonly declared: readonly string[]
  /** The configuration file that was named. */
  readonly configFile: string | undefined
  /** Reads the store, and changes nothing; null if there is none. */
  read<T>(work: Work<T>): Promise<T | null>
  /** Works through the owner of the store, which is started if there is none. */
  work<T>(work: Work<T>): Promise<T>
}

export const tool = toolsFor<ToolTeam>()

/** What to do next after an error. */
export const ADVICE_FOR_CLIENTS: ToolAdvice = {
  AgentNotFoundError: 'list_agents has the agents that exist; create_agent creates one.',
  AgentExistsError: 'Ask it with ask_agent, or create an agent with another id.',
  RunNotFoundError: 'list_runs has the runs that exist.',
  RunFinishedError: 'show_run has what it came to. For another run, use run_workflow.',
  IdNotFoundError: 'show_agent has the tasks of an agent that are open, list_runs the runs.',
  TaskNotFoundError: 'show_agent has the tasks of the agent that are open, read_log those of the past.',
  PositionNotFoundError: 'read_log has the positions of facts.',
  InboxEntryNotFoundError: 'list_inbox has the entries that there are.',
  OwnerUnavailable: 'The process that works on it has ended. Call wait with the id of the task or the run.',
}
