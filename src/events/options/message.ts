/** Messages: what becomes of them at an agent, and the facts of them and of the notes that it reads. */
import * as Schema from 'effect/Schema'
import { fact } from '../catalog.ts'
import { setting } from './setting.ts'
import { byPerson, Count } from './values.ts'

/** What becomes of a message to an agent. */
export type OnMessage = 'queue' | 'wake' | 'hold'
export const ON_MESSAGE = ['queue', 'wake', 'hold'] as const satisfies readonly OnMessage[]

/** An agent that leaves its messages for the next task has none in its facts. */
export const MESSAGING = {
  onMessage: setting(
    Schema.Literals(ON_MESSAGE).annotate({ problem: 'is none of "queue", "wake" and "hold"' }),
    'whether a message waits for the next task, begins one, or is held for a person',
    'queue',
  ),
}

const NullableString = Schema.NullOr(Schema.String)

/** The messages that a turn reads, in their order, and the facts by which they came. */
const messagesRead = { messages: Schema.Array(Schema.String), uses: Schema.Array(Schema.String) }
export const messagesReadIfAny = {
  messages: Schema.optionalKey(messagesRead.messages),
  uses: Schema.optionalKey(messagesRead.uses),
}

const onlyMessage = { messageId: Schema.String }

export const MESSAGE_FACTS = {
  /** A message is durable in the agent's mailbox. */
  MessageReceived: fact(
    Schema.Struct({
      ...onlyMessage,
      /** An agent by its id, another actor as KIND/ID; null for a person, or a program outside. */
      from: NullableString,
      text: Schema.String,
      /** The topic that it was published on. Absent if it was sent to this agent alone. */
      topic: Schema.optionalKey(Schema.String),
      /** How many messages led to one another up to this one. Absent: it is the first, no agent's task sent it. */
      chain: Schema.optionalKey(Count),
      /** A person decides whether it is read. */
      held: Schema.optionalKey(Schema.Literal(true)),
      ...byPerson,
    }),
  ),
  /** Messages that came during a call, and that its agent has read in it. */
  MessagesRead: fact(Schema.Struct({ taskId: Schema.String, callId: Schema.String, ...messagesRead })),
  /** The agent has read a shared note in a call. */
  NoteRead: fact(
    Schema.Struct({
      taskId: Schema.String,
      callId: Schema.String,
      note: Schema.String,
      version: Count,
      uses: messagesRead.uses,
    }),
  ),
  /** The agent has read, in a call, what became of a request that it had made in it. */
  AnswerRead: fact(
    Schema.Struct({
      taskId: Schema.String,
      callId: Schema.String,
      requestId: Schema.String,
      /** The agent that it asked, or another actor as KIND/ID. */
      from: Schema.String,
      /** The beginning of what an actor has replied, which no other fact has. Absent for the answer of an agent. */
      text: Schema.optionalKey(Schema.String),
      uses: messagesRead.uses,
    }),
  ),
  /** A held message may be read. */
  MessageReleased: fact(Schema.Struct({ ...onlyMessage, by: NullableString })),
  /** A held message will never be read. */
  MessageRejected: fact(Schema.Struct({ ...onlyMessage, reason: Schema.String, by: NullableString })),
  /** The agent has sent a message, which is in the mailbox of its receiver. */
  MessageSent: fact(Schema.Struct({ ...onlyMessage, to: Schema.String, text: Schema.String })),
  /** The agent has sent a message, and there was nothing to receive it. */
  MessageUndeliverable: fact(
    Schema.Struct({ ...onlyMessage, to: Schema.String, text: Schema.String, reason: Schema.String }),
  ),
}
