/** An agent's session chain, read from the log. A fork's chain begins with the original's. */
import { type AgentFact, agentFacts } from '../../../events/agent-facts.ts'
import type { Identified } from '../../../events/envelope.ts'
import { streamName } from '../../../events/ids.ts'
import { defined } from '../../../events/json.ts'
import type { EventStore } from '../../../store/event-store.ts'

/** One link of an agent's session chain: an answered call, or a session that was adopted. */
export interface SessionLink {
  readonly sessionId: string
  readonly parentSessionId: string | null
  /** null: what was said in it was not asked here. */
  readonly taskId: string | null
  /** The parent was lost: this session started with its conversation as text, from the log. */
  readonly rebuilt: boolean
}

/** The links of the chain, oldest first. */
export async function sessionLinks(store: EventStore, stream: string): Promise<readonly SessionLink[]> {
  let links: SessionLink[] = []
  const rebuilt = new Set<string>()
  for await (const fact of lineage(store, stream)) {
    if (fact.type === 'AgentCreated') links = []
    if (fact.type === 'CallStarted' && fact.data.rebuilt) rebuilt.add(fact.data.callId)
    if (fact.type === 'SessionAdopted') {
      const { sessionId, parentSessionId = null } = fact.data
      links.push({ sessionId, parentSessionId, taskId: null, rebuilt: false })
    }
    if (fact.type !== 'CallSucceeded') continue
    const { sessionId, parentSessionId, taskId, callId } = fact.data
    links.push({ sessionId, parentSessionId, taskId, rebuilt: rebuilt.has(callId) })
  }
  return links
}

/** An agent's facts up to a version. Those of the original, up to the fork, follow the fact that created a fork. */
export async function* lineage(
  store: EventStore,
  stream: string,
  to?: number,
): AsyncGenerator<Identified<AgentFact>, void, undefined> {
  for await (const recorded of store.read(stream, defined({ to }))) {
    const fact = agentFacts.read(recorded)
    yield fact
    if (fact.type !== 'AgentCreated' || !fact.data.forkedFrom) continue
    const { agent, version } = fact.data.forkedFrom
    yield* lineage(store, streamName('agent', agent), version)
  }
}
