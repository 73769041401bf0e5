/** An agent's session chain, read from the log: that of a branch begins with its original's. */
import type { EventStore } from '../../../store/event-store.ts'
import { lineage } from './lineage.ts'

/** One link of an agent's session chain: an answered call. */
export interface SessionLink {
  readonly sessionId: string
  readonly parentSessionId: string | null
  readonly taskId: string
  /** The parent was lost: its words were given to this session as text, from the log. */
  readonly rebuilt: boolean
}

/** Oldest first. */
export async function sessionLinks(store: EventStore, stream: string): Promise<readonly SessionLink[]> {
  let links: SessionLink[] = []
  const rebuilt = new Set<string>()
  for await (const fact of lineage(store, stream)) {
    if (fact.type === 'AgentCreated') links = []
    if (fact.type === 'CallStarted' && fact.data.rebuilt) rebuilt.add(fact.data.callId)
    if (fact.type !== 'CallSucceeded') continue
    const { sessionId, parentSessionId, taskId, callId } = fact.data
    links.push({ sessionId, parentSessionId, taskId, rebuilt: rebuilt.has(callId) })
  }
  return links
}
