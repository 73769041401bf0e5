/** What can happen to a topic: it is subscribed to, and messages are published on it. */
import * as Schema from 'effect/Schema'
import { type FactOf, fact, factCatalog } from '../../events/catalog.ts'
import { byPerson, Count } from '../../events/options/values.ts'

const { String: Text } = Schema
const ofSubscriber = {
  /** An agent by its id, another actor as KIND/ID. */
  subscriber: Text,
}
const ofMessage = { messageId: Text }

const definitions = {
  SubscriberAdded: fact(Schema.Struct({ ...ofSubscriber, ...byPerson })),
  SubscriberRemoved: fact(Schema.Struct({ ...ofSubscriber, ...byPerson })),
  /** A message is durable. From here on it is delivered to those who are subscribed now, but not to its own publisher. */
  MessagePublished: fact(
    Schema.Struct({
      ...ofMessage,
      /** An agent by its id, another actor as KIND/ID; null for a person, or a program outside. */
      from: Schema.NullOr(Text),
      text: Text,
      /** As that of `MessageReceived`. */
      chain: Schema.optionalKey(Count),
      ...byPerson,
    }),
  ),
  /** What became of it: it is in the mailboxes of so many, and some have not received it. */
  PublicationDelivered: fact(
    Schema.Struct({
      ...ofMessage,
      delivered: Count,
      undelivered: Schema.Array(
        Schema.Struct({
          to: Text,
          reason: Text,
          /** There is no such agent any more: it is no longer subscribed. */
          gone: Schema.optionalKey(Schema.Literal(true)),
        }),
      ),
    }),
  ),
}

/** A fact of a topic. */
export type TopicFact = FactOf<typeof definitions>
export const topicFacts = factCatalog(definitions)
