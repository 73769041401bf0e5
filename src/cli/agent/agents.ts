/** Opens an agent for a command: to change it, or only to read it. */
import type { AgentRef } from '../../actors/agent/ref.ts'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import { requireAgents } from '../existing-store.ts'
import type { GlobalOptions } from '../global-options.ts'
import { hasWorkers, readStore, type Session, withSession } from '../session.ts'

type AgentWork = (agent: AgentRef, session: Session) => Promise<void>

export function withAgent(globals: GlobalOptions, id: string, work: AgentWork) {
  requireAgents(globals, id)
  return withSession(
    globals,
    async (session) => work(await session.orchestrator.agent(id), session),
    'change',
  )
}

/** Reads an agent, and creates nothing: not the store, and not an agent that is only declared. */
export function readAgent(globals: GlobalOptions, id: string, work: AgentWork) {
  requireAgents(globals, id)
  const isDeclared = globals.config.agents?.some((declared) => declared.id === id)
  const missing = () => new AgentNotFoundError({ agent: id, nearest: null })
  const read = async (session: Session) => {
    const { orchestrator, terminal } = session
    const isKnown = !isDeclared || (await orchestrator.agents()).some((agent) => agent.id === id)
    if (isKnown) return work(await orchestrator.agent(id), session)
    terminal.note(
      `${id} is declared in the configuration; the first command that works with agents creates it.`,
    )
    throw missing()
  }
  return readStore(globals, read, missing)
}

/** Reads an agent and its files: they are where it lives, which can be a worker. */
export async function readAgentFiles(globals: GlobalOptions, id: string, work: AgentWork) {
  if (!(await hasWorkers(globals))) return readAgent(globals, id, work)
  const { agents: _agents, budget: _budget, ...config } = globals.config
  return withAgent({ ...globals, config }, id, work)
}
