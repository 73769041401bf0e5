/** The facts of an agent, with those of the agent that it was branched off: its conversation began there. */
import { type AgentFact, agentFacts } from '../../../events/agent-facts.ts'
import type { Identified } from '../../../events/envelope.ts'
import { streamName } from '../../../events/ids.ts'
import type { EventStore } from '../../../store/event-store.ts'

/** Where a branch was made, the other one's facts up to that version follow; then the agent's own go on. */
export async function* lineage(
  store: EventStore,
  stream: string,
  to?: number,
): AsyncGenerator<Identified<AgentFact>, void, undefined> {
  for await (const recorded of store.read(stream, to === undefined ? {} : { to })) {
    const fact = agentFacts.read(recorded)
    yield fact
    if (fact.type !== 'AgentCreated' || !fact.data.forkedFrom) continue
    const { agent, version } = fact.data.forkedFrom
    yield* lineage(store, streamName('agent', agent), version)
  }
}
