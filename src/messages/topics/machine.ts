/**
 * A topic's whole life as one pure state machine. Its events are the log's facts.
 *
 * T1. What is published is delivered to those who were subscribed when it was published.
 * T2. One message is delivered after the other, in the order in which they were published.
 * T3. A message that is delivered again, after a crash, has the same id at each subscriber: its mailbox takes it once.
 */
import { type SnapshotFrom, setup } from 'xstate'
import { defineKind, type Effect } from '../../actors/engine/definition.ts'
import type { Identified } from '../../events/envelope.ts'
import { type TopicFact, topicFacts } from './facts.ts'

type DataOf<T extends TopicFact['type']> = Extract<TopicFact, { type: T }>['data']

/** What is published and not delivered. */
export interface PendingMessage extends Omit<DataOf<'MessagePublished'>, 'by'> {
  /** Who receives it. */
  readonly to: readonly string[]
  /** The id of the fact that published it. */
  readonly cause: string
}

export interface TopicContext {
  /** In the order in which they came. */
  readonly subscribers: readonly string[]
  /** First in, first out. */
  readonly pending: readonly PendingMessage[]
  /** How many messages were published. */
  readonly published: number
}

const none: TopicContext = { subscribers: [], pending: [], published: 0 }

const changes: {
  readonly [T in TopicFact['type']]: (
    context: TopicContext,
    data: DataOf<T>,
    id: string,
  ) => Partial<TopicContext>
} = {
  SubscriberAdded: ({ subscribers }, { subscriber }) => ({ subscribers: [...subscribers, subscriber] }),
  SubscriberRemoved: ({ subscribers }, { subscriber }) => ({
    subscribers: subscribers.filter((one) => one !== subscriber),
  }),
  MessagePublished: ({ subscribers, pending, published }, { by: _, ...message }, cause) => ({
    pending: [...pending, { ...message, to: subscribers.filter((one) => one !== message.from), cause }],
    published: published + 1,
  }),
  PublicationDelivered: ({ subscribers, pending }, { messageId, undelivered }) => {
    const gone = undelivered.filter((one) => one.gone).map(({ to }) => to)
    return {
      pending: pending.filter((one) => one.messageId !== messageId),
      subscribers: subscribers.filter((one) => !gone.includes(one)),
    }
  },
}

const topic = setup({
  types: {} as { context: TopicContext; events: Identified<TopicFact> },
  guards: {
    isNew: ({ context, event }) =>
      event.type === 'SubscriberAdded' && !context.subscribers.includes(event.data.subscriber),
    isSubscribed: ({ context, event }) =>
      event.type === 'SubscriberRemoved' && context.subscribers.includes(event.data.subscriber),
    isNext: ({ context, event }) =>
      event.type === 'PublicationDelivered' && context.pending[0]?.messageId === event.data.messageId,
  },
})

const fold = topic.assign(({ context, event }) => {
  const change = changes[event.type] as (
    context: TopicContext,
    data: TopicFact['data'],
    id: string,
  ) => Partial<TopicContext>
  return change(context, event.data, event.id)
})

export const topicMachine = topic.createMachine({
  id: 'topic',
  context: none,
  initial: 'open',
  states: {
    open: {
      on: {
        SubscriberAdded: { guard: 'isNew', actions: fold },
        SubscriberRemoved: { guard: 'isSubscribed', actions: fold },
        MessagePublished: { actions: fold },
        PublicationDelivered: { guard: 'isNext', actions: fold },
      },
    },
  },
})

/** A state of a topic. */
export type TopicSnapshot = SnapshotFrom<typeof topicMachine>

/** What a topic does: it delivers the message that was published first. */
export interface TopicEffect extends Effect {
  readonly message: PendingMessage
}

export const topicKind = defineKind<typeof topicMachine, TopicEffect>(
  'topic',
  topicMachine,
  {
    facts: topicFacts,
    effects: ({ context: { pending } }) =>
      pending.slice(0, 1).map((message) => ({ key: `deliver ${message.cause}`, message })),
    summarize: ({ value, context: { subscribers, pending, published } }) => ({
      status: value,
      open: pending.length > 0,
      info: { subscribers: subscribers.length, pending: pending.length, published },
    }),
  },
  [changes],
)
