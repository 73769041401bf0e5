/** A topic from outside: its name, its address, and what is published on it as the log has it. */
import type { Recorded } from '../../events/envelope.ts'
import { InvalidIdError } from '../../events/errors/usage.ts'
import { AGENT_ID_PATTERN, ID_RULE } from '../../events/ids.ts'

export const TOPIC_STREAMS = 'topic/'

/** A message that was published on a topic. */
export interface PublishedMessage {
  readonly messageId: string
  readonly topic: string
  /** An agent by its id, another actor as KIND/ID; null for a person, or a program. */
  readonly from: string | null
  readonly text: string
  /** ISO 8601 in UTC. */
  readonly at: string
  /** In the log: `after` of a program that listens again from here. */
  readonly position: number
}

/** A message that was published, if the fact is one; undefined otherwise. */
export function publishedIn(recorded: Pick<Recorded, 'stream' | 'type' | 'data' | 'at' | 'position'>) {
  const { stream, type, data, at, position } = recorded
  if (type !== 'MessagePublished' || !stream.startsWith(TOPIC_STREAMS)) return undefined
  const { messageId, from, text } = data as unknown as PublishedMessage
  return {
    messageId,
    topic: stream.slice(TOPIC_STREAMS.length),
    from,
    text,
    at,
    position,
  } satisfies PublishedMessage
}

/** The stream of a topic. Throws InvalidIdError. */
export const topicAddress = (topic: string): string => `${TOPIC_STREAMS}${checkTopic(topic)}`

/** The topic at an address; undefined if that is none. */
export const topicAt = (address: string): string | undefined =>
  address.startsWith(TOPIC_STREAMS) ? address.slice(TOPIC_STREAMS.length) : undefined

/** Throws InvalidIdError. */
export function checkTopic(topic: string): string {
  if (typeof topic === 'string' && AGENT_ID_PATTERN.test(topic)) return topic
  throw new InvalidIdError({ what: 'topic', id: String(topic), rule: ID_RULE })
}
