/** The point at which an agent is forked, and what the new agent takes over. */
import type { AgentFact } from '../../../events/agent-facts.ts'
import { CannotForkError } from '../../../events/errors/history.ts'
import { streamName } from '../../../events/ids.ts'
import type { AgentConfig } from '../../../events/options/agent.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { AnyKind } from '../../engine/definition.ts'
import { foldAt } from '../../engine/fold-at.ts'
import { agentKind } from '../machine.ts'
import type { AgentContext } from '../state.ts'

/** Where to fork an agent, and the id of the new one. */
export interface ForkOptions {
  /** The version of the original's stream up to which its conversation is taken over. Default: the last one. */
  readonly at?: number
  /** The id of the new agent. */
  readonly as: string
  /** Who forks it: a person or a program. It is recorded in the log. */
  readonly by?: string
}

export interface ForkPoint {
  readonly config: AgentConfig
  readonly forkedFrom: NonNullable<Extract<AgentFact, { type: 'AgentCreated' }>['data']['forkedFrom']>
  /** The fact at that version. */
  readonly factId: string
  /** The snapshot of its files then. */
  readonly files: string | undefined
  /** What another machine needs to continue it, if it lives in a cluster. */
  readonly stored: AgentContext['stored']
}

/** Throws StreamNotFoundError, VersionNotFoundError, CannotForkError. */
export async function forkPoint(
  store: EventStore,
  agent: string,
  at: number | undefined,
): Promise<ForkPoint> {
  const stream = streamName('agent', agent)
  const { version, state } = await foldAt(agentKind as unknown as AnyKind, store, stream, at)
  const { config, session, files, stored } = state.context as unknown as AgentContext
  if (config === null) {
    throw new CannotForkError({
      what: `Agent "${agent}" at version ${version}`,
      problem: 'it did not exist then',
      hint: `Its versions: claude-agents replay ${stream}`,
    })
  }
  for await (const { id: factId } of store.read(stream, { after: version - 1, to: version }))
    return {
      config,
      forkedFrom: { agent, version, sessionId: session },
      factId,
      files: files?.commit,
      stored,
    }
  throw new CannotForkError({ what: `Agent "${agent}"`, problem: `version ${version} cannot be read` })
}
