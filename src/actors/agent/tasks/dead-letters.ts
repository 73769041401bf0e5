/** Answers that came when their task had ended already: kept, counted, and given to nobody. */
import { agentFacts } from '../../../events/agent-facts.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { Bodies } from '../../engine/bodies.ts'

/** An answer that arrived after its task had ended. */
export interface DeadLetter {
  readonly agent: string
  readonly taskId: string
  readonly callId: string
  /** The session that holds it. No later task continues it. */
  readonly sessionId: string
  readonly text: string
  readonly costUsd: number
  readonly tokens: number
  /** When it was written down, ISO 8601 in UTC. */
  readonly at: string
}

/** Those of an agent, also of one that was removed, in the order in which they came. */
export async function deadLettersOf(
  store: EventStore,
  bodies: Bodies,
  agent: string,
): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = []
  for await (const recorded of store.read(`agent/${agent}`)) {
    if (recorded.type !== 'DeadLetterRecorded') continue
    const fact = agentFacts.read(recorded)
    if (fact.type !== 'DeadLetterRecorded') continue
    const { taskId, callId, sessionId, text, costUsd, usage } = fact.data
    const tokens = usage.inputTokens + usage.outputTokens
    const said = await bodies.read(text)
    letters.push({ agent, taskId, callId, sessionId, text: said, costUsd, tokens, at: recorded.at })
  }
  return letters
}
